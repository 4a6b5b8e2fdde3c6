// Command kfake is what tests against Kafka need beside Kafka itself, as one program:
//
//	kfake serve   a broker in memory, ready in milliseconds: franz-go's kfake (its word on errors is not final)
//	kfake read    prints the committed records of a topic as JSON lines, by franz-go's consumer: a second opinion that shares no code with Tailrace
//	kfake certs   writes a certificate authority, a broker's and a client's certificate
//
// scripts/lab/kfake.ts builds and runs it. Errors go to stderr, with exit code 1.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	commands := map[string]func([]string) error{"serve": serve, "read": read, "certs": certs}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "kfake serve|read|certs [-help]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "kfake %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// pair splits A=B.
func pair(flag, value string) (string, string, error) {
	a, b, found := strings.Cut(value, "=")
	if !found {
		return "", "", fmt.Errorf("-%s %q: wanted: A=B", flag, value)
	}
	return a, b, nil
}
