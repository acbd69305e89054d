package test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"holdfast/test/harness"
)

// The Twitter clone, an instance at every node: people sign up, follow and post at
// whichever, and no post is lost or there twice when the leader is killed.
func TestTwitter(t *testing.T) {
	t.Parallel()
	c := start(t)
	apps := map[*harness.Node]string{}
	for _, n := range c.Nodes {
		apps[n] = startExample(t, "twitter", n)
	}
	dying, err := c.Leader()
	if err != nil {
		t.Fatal(err)
	}
	survivors := c.Others(dying)
	here, there := apps[survivors[0]], apps[survivors[1]]
	newBrowser(t).sees(here, "Nothing yet. Sign up", "Nobody yet.")

	ada, grace := newBrowser(t), newBrowser(t)
	ada.post(apps[dying]+"/signup", "name=ada&password=lovelace", http.StatusOK)
	ada.post(here+"/signup", "name=ada&password=another+one", http.StatusBadRequest) // taken
	ada.post(here+"/signup", "name=<b>&password=lovelace", http.StatusBadRequest)
	ada.post(here+"/signup", "name=mary&password=short", http.StatusBadRequest)
	grace.post(here+"/signup", "name=grace&password=murray+hopper", http.StatusOK)
	grace.post(there+"/signout", "", http.StatusOK)
	grace.post(here+"/posts", "text=nobody", http.StatusOK) // led to the first page
	grace.post(there+"/signin", "name=grace&password=wrong", http.StatusUnauthorized)
	grace.post(there+"/signin", "name=nobody&password=wrong", http.StatusUnauthorized)
	grace.post(there+"/signin", "name=grace&password=murray+hopper", http.StatusOK)
	newBrowser(t).sees(here, `<a href="/users/ada">ada</a></li>`, `<a href="/users/grace">grace</a></li>`)

	grace.post(apps[dying]+"/users/ada/follow", "", http.StatusOK)
	grace.post(here+"/users/nobody/follow", "", http.StatusNotFound)
	grace.sees(there+"/users/ada", "Unfollow", "<dt>followers</dt><dd>1</dd>", "ada has not posted yet.")
	ada.post(here+"/posts", "text=", http.StatusBadRequest)
	ada.post(here+"/posts", "text="+strings.Repeat("x", 281), http.StatusBadRequest)
	ada.post(here+"/posts", "text="+url.QueryEscape("<script>alert(1)</script> & 'ä'"), http.StatusOK)
	grace.sees(there, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;ä&#39;")

	const posts = 40
	for i := range posts {
		if i == posts/2 {
			go dying.Kill()
		}
		ada.post([]string{here, there}[i%2]+"/posts", fmt.Sprintf("text=post+number+%d.", i), http.StatusOK)
		grace.sees([]string{there, here}[i%2], fmt.Sprintf("post number %d.", i))
	}
	dying.Kill() // it is dead by now, if it was not in time
	for _, page := range []string{"/", "/latest", "/users/ada"} {
		body := grace.get(there + page)
		for i := range posts {
			if n := strings.Count(body, fmt.Sprintf("post number %d.", i)); n != 1 {
				t.Errorf("%s has post %d %d times", page, i, n)
			}
			if i > 0 && strings.Index(body, fmt.Sprintf("number %d.", i)) > strings.Index(body, fmt.Sprintf("number %d.", i-1)) {
				t.Errorf("%s has post %d below the one before", page, i)
			}
		}
	}
	grace.sees(here+"/users/ada", fmt.Sprintf("<dt>posts</dt><dd>%d</dd>", posts+1))

	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	grace.post(apps[dying]+"/users/ada/unfollow", "", http.StatusOK) // its client has connected again
	ada.post(apps[dying]+"/posts", "text=to+nobody", http.StatusOK)
	if strings.Contains(grace.get(here), "to nobody") {
		t.Error("grace still follows ada")
	}
	grace.sees(here+"/users/ada", "<dt>followers</dt><dd>0</dd>", "to nobody")
	agree(t, c)
}
