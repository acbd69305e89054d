// html`<b>${text}</b>` escapes what is put in, unless that is HTML already. Lists are
// joined; undefined, null and false leave nothing.
class HTML extends String {}

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escape(value) {
  if (value instanceof HTML) return value
  if (Array.isArray(value)) return value.map(escape).join('')
  if (value === undefined || value === null || value === false) return ''
  return String(value).replace(/[&<>"']/g, (character) => escapes[character])
}

export const html = (texts, ...values) => new HTML(String.raw({ raw: texts }, ...values.map(escape)))
