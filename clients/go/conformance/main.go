// Command conformance performs a plan with the client: see clients/conformance/README.md.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	interlingua "interlingua.dev/go"
)

// scenario is one of the plan, as it stands there.
type scenario struct {
	Name    string
	Op      string
	Request []byte
	Options options
}

type options struct {
	Address          string
	TLS              *tlsFiles
	APIKey           string `json:"api_key"`
	TokenSource      bool   `json:"token_source"`
	Calls            int
	Streams          int
	Traceparent      string
	Metadata         map[string]string
	DeadlineMS       int64 `json:"deadline_ms"`
	CancelAfterMS    int64 `json:"cancel_after_ms"`
	LeaveAfterEvents int   `json:"leave_after_events"`
}

type tlsFiles struct {
	CAFile     string `json:"ca_file"`
	CertFile   string `json:"cert_file"`
	KeyFile    string `json:"key_file"`
	ServerName string `json:"server_name"`
}

// observed is what is told of a scenario.
type observed map[string]any

var input = bufio.NewReader(os.Stdin)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: conformance ADDRESS PLAN")
		os.Exit(2)
	}
	if err := perform(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func perform(address, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var plan struct{ Scenarios []scenario }
	if err := json.Unmarshal(text, &plan); err != nil {
		return err
	}
	shared, err := interlingua.New(address)
	if err != nil {
		return err
	}
	defer shared.Close()
	for _, one := range plan.Scenarios {
		tell(observed{"scenario": one.Name, "observed": one.observe(shared)})
	}
	return nil
}

func (s scenario) observe(shared *interlingua.Client) (seen observed) {
	defer func() {
		if failure := recover(); failure != nil {
			seen = observed{"crash": fmt.Sprint(failure)}
		}
	}()
	operation, known := operations[s.Op]
	if !known {
		return observed{"crash": "unknown op"}
	}
	run := &run{scenario: s, client: shared}
	if s.Options.Address != "" {
		run.client = s.Options.client()
		defer run.client.Close()
	}
	return operation(run)
}

func tell(line observed) {
	text, err := json.Marshal(line)
	must(err)
	fmt.Println(string(text))
}

func pause(name string) {
	tell(observed{"pause": name})
	_, err := input.ReadString('\n')
	must(err)
}

// must lets the scenario crash: the runner itself is at fault.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
