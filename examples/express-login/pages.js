// What the browser shows.

const page = (body) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Login</title>
<style>
  body { font: 1.1rem/1.5 system-ui; max-width: 24rem; margin: 4rem auto; padding: 0 1rem }
  label, input { display: block; width: 100%; box-sizing: border-box; font: inherit; margin-bottom: .5rem }
  .wrong { color: firebrick }
</style>
${body}
</html>
`

export const loginForm = (wrong = '') => page(`<h1>Log in</h1>
<p class="wrong">${wrong}</p>
<form method="post" action="/login">
  <label>Name <input name="user" autocomplete="username" required autofocus></label>
  <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
  <button>Log in</button>
</form>
<p>Try ada with lovelace, or grace with hopper.</p>`)

// user is one of ours, so there is nothing to escape in it.
export const home = (user, visits) => page(`<h1>Hello ${user}</h1>
<p>Visits since you logged in: <b>${visits}</b></p>
<form method="post" action="/logout"><button>Log out</button></form>`)
