package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const (
	mostFiles     = 200
	mostSource    = 512 << 10 // bytes of all files of a release together
	mostAnswer    = 4 << 20   // bytes
	longestChange = 3 * time.Minute
)

// direct asks the platform and nobody between: the engine's proxy leads to clouds alone.
var direct = &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)

// refusal is what the platform said no to: nothing was changed.
type refusal string

func (r refusal) Error() string { return string(r) }

// service is a web service on the small platform of the embedded environment: its files are run as they are, a new
// release of it beside the one before, which keeps the rest of the traffic until the watch ends.
type service struct{}

func (service) fields() []field {
	return []field{
		{name: "name", replaces: true},
		{name: "files"},
		{name: "command", standard: []any{"python3", "main.py"}},
		{name: "health", standard: "/"},
		{name: "share", standard: 100.0},
		{name: "watchSeconds", standard: 0.0},
	}
}

func (service) refuse(name string, value any) string {
	switch name {
	case "name":
		if text, is := value.(string); !is || !serviceName.MatchString(text) {
			return fmt.Sprintf("is %q: use lower-case letters, digits and '-', as in shop-web", value)
		}
	case "files":
		return refuseFiles(value)
	case "command":
		words, is := value.([]any)
		if !is || len(words) == 0 {
			return "must be a list of words, the program first"
		}
		for _, word := range words {
			if _, is := word.(string); !is {
				return "must be a list of words"
			}
		}
	case "health":
		if text, is := value.(string); !is || text == "" || text[0] != '/' {
			return "must be a path that begins with '/'"
		}
	case "share":
		if share, is := value.(float64); !is || share < 1 || share > 100 || share != float64(int(share)) {
			return "must be a whole number of percent, 1 to 100"
		}
	case "watchSeconds":
		if seconds, is := value.(float64); !is || seconds < 0 || seconds > 86400 {
			return "must be a number of seconds, at most a day"
		}
	}
	return ""
}

func refuseFiles(value any) string {
	files, is := value.(map[string]any)
	if !is || len(files) == 0 || len(files) > mostFiles {
		return fmt.Sprintf("must be texts by their paths, %d at most", mostFiles)
	}
	size := 0
	for path, content := range files {
		text, is := content.(string)
		if !is {
			return fmt.Sprintf("has no text at %q", path)
		}
		if !filepath.IsLocal(path) || path != filepath.Clean(path) {
			return fmt.Sprintf("has %q: write a plain path below the service, as in pages/index.html", path)
		}
		size += len(text)
	}
	if size > mostSource {
		return fmt.Sprintf("is longer than %d KiB together", mostSource>>10)
	}
	return ""
}

func (service) identity(in values) string { return in.text("name") }

func (service) create(ctx context.Context, in values) error {
	return ask(ctx, http.MethodPost, in.text("name"), in, nil)
}

func (service) read(ctx context.Context, id string, _ values) (values, error) {
	found := values{}
	err := ask(ctx, http.MethodGet, id, nil, &found)
	return found, err
}

func (service) update(ctx context.Context, id string, _, news values) error {
	return ask(ctx, http.MethodPut, id, news, nil)
}

func (service) remove(ctx context.Context, id string) error {
	err := ask(ctx, http.MethodDelete, id, nil, nil)
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// outputs are where the service is, and where its newest release is by itself while it has only a share.
func (service) outputs(in values) values {
	base := os.Getenv("PLATFORM_URL")
	if base == "" || in.text("name") == unknown {
		return nil
	}
	at := base + "/" + in.text("name")
	return values{"url": at, "newestUrl": at + "@newest"}
}

// ask has the platform do one thing with one service, and reads what it says.
func ask(ctx context.Context, method, name string, body values, into *values) error {
	host, port, token := os.Getenv("PLATFORM_HOST"), os.Getenv("PLATFORM_PORT"), os.Getenv("PLATFORM_TOKEN")
	if host == "" || port == "" || token == "" {
		return errors.New("there is no platform for services: give the engine PLATFORM_HOST, PLATFORM_PORT and PLATFORM_TOKEN")
	}
	ctx, cancel := context.WithTimeout(ctx, longestChange)
	defer cancel()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(own(body))
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	at := fmt.Sprintf("http://%s:%s/v1/services/%s", host, port, url.PathEscape(name))
	request, err := http.NewRequestWithContext(ctx, method, at, sent)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := direct.Do(request)
	if err != nil {
		return fmt.Errorf("the platform does not answer: %w", err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return fmt.Errorf("the platform's answer ended early: %w", err)
	}
	return understand(answer.StatusCode, said, name, into)
}

// own leaves out what only the engine needs, such as `__defaults`.
func own(of values) values {
	kept := values{}
	for _, one := range (service{}).fields() {
		if value, there := of[one.name]; there {
			kept[one.name] = value
		}
	}
	return kept
}

func understand(status int, said []byte, name string, into *values) error {
	switch {
	case status == http.StatusNotFound:
		return errGone
	case status >= 300:
		var problem struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(said, &problem)
		return refusal(fmt.Sprintf("the platform refuses the service %q (%d): %s", name, status, problem.Error))
	case into != nil:
		return json.Unmarshal(said, into)
	}
	return nil
}
