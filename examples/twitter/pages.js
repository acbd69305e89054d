// What the browser shows.
import { html } from './html.js'
import { longest } from './posts.js'

const page = (me, title, main, aside) => String(html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} · Chirp</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="/bird.svg">
<header>
  <a class="logo" href="/"><img src="/bird.svg" alt="" width="28" height="28"> Chirp</a>
  <nav>
    <a href="/latest">Latest</a>
    ${me ? html`<a href="/users/${me}">@${me}</a>
    <form method="post" action="/signout"><button class="link">Sign out</button></form>` : html`<a href="/">Sign in</a>`}
  </nav>
</header>
<div class="columns">
  <main>${main}</main>
  <aside>${aside}</aside>
</div>
</html>
`)

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000))
  if (seconds === 0) return 'now'
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`
  return new Date(at).toISOString().slice(0, 10)
}

// A user's badge: the first letter, in one of six colours.
const badge = (name) => html`<span class="badge c${[...name].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 6}">${name[0]}</span>`

const list = (posts, empty) => (posts.length === 0 ? html`<p class="empty">${empty}</p>` : html`<ol class="posts">${posts.map(({ by, text, at }) => html`
  <li>
    ${badge(by)}
    <div>
      <p class="by"><a href="/users/${by}">${by}</a> <time datetime="${new Date(at).toISOString()}">${ago(at)}</time></p>
      <p class="text">${text}</p>
    </div>
  </li>`)}
</ol>`)

const newest = (users) => html`<section>
  <h2>New here</h2>
  ${users.length === 0 ? html`<p class="empty">Nobody yet.</p>` : html`<ul class="users">${users.map((name) => html`
    <li>${badge(name)} <a href="/users/${name}">${name}</a></li>`)}
  </ul>`}
</section>`

const numbers = ({ posts, followers, following }) => html`<dl>
  <div><dt>posts</dt><dd>${posts}</dd></div>
  <div><dt>followers</dt><dd>${followers}</dd></div>
  <div><dt>following</dt><dd>${following}</dd></div>
</dl>`

const credentials = (action, title, autocomplete, problem) => html`<form class="card" method="post" action="${action}">
  <h2>${title}</h2>
  ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  <label>Name <input name="name" autocomplete="username" maxlength="15" required></label>
  <label>Password <input name="password" type="password" autocomplete="${autocomplete}" required></label>
  <button>${title}</button>
</form>`

export const welcome = ({ posts, users, signUp, signIn }) => page(undefined, 'Welcome', html`
<h1>What is going on?</h1>
${list(posts, 'Nothing yet. Sign up and be the first.')}`, html`
${credentials('/signup', 'Sign up', 'new-password', signUp)}
${credentials('/signin', 'Sign in', 'current-password', signIn)}
${newest(users)}`)

export const home = ({ me, posts, users, profile }) => page(me, 'Home', html`
<form class="compose" method="post" action="/posts">
  ${badge(me)}
  <textarea name="text" maxlength="${longest}" rows="2" placeholder="What is going on, ${me}?" aria-label="Your post" required autofocus></textarea>
  <button>Post</button>
</form>
${list(posts, 'Nothing yet. Follow somebody, or write the first post.')}`, html`
<section>${numbers(profile)}</section>
${newest(users)}`)

export const latest = ({ me, posts, users }) => page(me, 'Latest', html`
<h1>Latest</h1>
${list(posts, 'Nothing yet.')}`, newest(users))

export const profile = ({ me, name, profile, follows, posts }) => page(me, name, html`
<div class="profile">
  ${badge(name)}
  <div>
    <h1>${name}</h1>
    <p>since ${new Date(profile.joined).toISOString().slice(0, 10)}</p>
  </div>
  ${me && me !== name && html`<form method="post" action="/users/${name}/${follows ? 'unfollow' : 'follow'}">
    <button class="${follows ? 'quiet' : ''}">${follows ? 'Unfollow' : 'Follow'}</button>
  </form>`}
</div>
${list(posts, `${name} has not posted yet.`)}`, html`<section>${numbers(profile)}</section>`)

export const failed = (me, text) => page(me, 'Sorry', html`<h1>${text}</h1><p><a href="/">Back</a></p>`)
