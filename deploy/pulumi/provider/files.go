package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const biggestFile = 1 << 20 // bytes

// file is a text file in the folder that LOCAL_FILES names.
type file struct{}

func (file) fields() []field {
	return []field{{name: "path", replaces: true}, {name: "content"}}
}

func (file) refuse(name string, value any) string {
	text, is := value.(string)
	switch {
	case !is:
		return "must be a text"
	case name == "path" && !filepath.IsLocal(text):
		return fmt.Sprintf("is %q: write a path inside the folder of the files, as in notes/readme.txt", text)
	case name == "content" && len(text) > biggestFile:
		return "is longer than 1 MiB"
	}
	return ""
}

func (file) identity(in values) string { return in.text("path") }

func (file) create(_ context.Context, in values) error {
	return within(func(root *os.Root) error {
		path := in.text("path")
		if _, err := root.Lstat(path); err == nil {
			return fmt.Errorf("the file %q is there already and is not this stack's: import it, or take another path", path)
		}
		return write(root, path, in.text("content"))
	})
}

func (file) read(_ context.Context, id string, _ values) (values, error) {
	var found values
	err := within(func(root *os.Root) error {
		content, err := root.ReadFile(id)
		if errors.Is(err, fs.ErrNotExist) {
			return errGone
		}
		found = values{"path": id, "content": strings.ToValidUTF8(string(content), "\uFFFD")}
		return err
	})
	return found, err
}

func (file) update(_ context.Context, id string, _, news values) error {
	return within(func(root *os.Root) error { return write(root, id, news.text("content")) })
}

func (file) remove(_ context.Context, id string) error {
	return within(func(root *os.Root) error {
		if err := root.Remove(id); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

func write(root *os.Root, path, content string) error {
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return root.WriteFile(path, []byte(content), 0o644)
}

// within opens the folder such that no path and no link leads out of it.
func within(do func(*os.Root) error) error {
	folder := os.Getenv("LOCAL_FILES")
	if folder == "" {
		return errors.New("there is no folder for files: give the engine one by LOCAL_FILES, or make no files")
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("the folder for files cannot be opened: %w", err)
	}
	defer root.Close()
	return do(root)
}
