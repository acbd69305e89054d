package fsm

import "strings"

// Categories are the command's ACL categories: "@read", "@string", ... Complete must have
// been called.
func (c *Command) Categories() []string { return c.categories }

// categorize returns the ACL categories, inferred from flags and group as Redis infers them,
// in its order.
func (c *Command) categorize() []string {
	full := c.FullName()
	admin := c.Flags&Admin != 0 || full == "lastsave" || full == "role"
	data := c.Flags&(Write|ReadOnly) != 0
	sorts := full == "sort" || full == "sort_ro"
	var names []string
	for _, category := range []struct {
		holds bool
		name  string
	}{
		{c.Group == "generic" && (data || c.Container != "") && !sorts || c.Group == "server" && data && full != "lolwut" && full != "memory|usage", "@keyspace"},
		{c.Flags&ReadOnly != 0, "@read"},
		{c.Flags&Write != 0, "@write"},
		{c.Group == "set" || sorts, "@set"},
		{c.Group == "sorted-set" || sorts, "@sortedset"},
		{c.Group == "list" || sorts, "@list"},
		{c.Group == "hash", "@hash"},
		{c.Group == "string", "@string"},
		{c.Group == "bitmap", "@bitmap"},
		{c.Group == "hyperloglog", "@hyperloglog"},
		{c.Group == "geo", "@geo"},
		{c.Group == "stream", "@stream"},
		{c.Flags&PubSub != 0, "@pubsub"},
		{admin, "@admin"},
		{c.Flags&Fast != 0, "@fast"},
		{c.Flags&Fast == 0, "@slow"},
		{c.Flags&Blocking != 0, "@blocking"},
		{admin || c.Flags&Dangerous != 0, "@dangerous"},
		{c.Group == "connection" || full == "wait" || full == "readonly" || full == "readwrite" ||
			strings.HasPrefix(full, "command"), "@connection"},
		{c.Group == "transactions", "@transaction"},
		{c.Group == "scripting", "@scripting"},
	} {
		if category.holds {
			names = append(names, category.name)
		}
	}
	return names
}
