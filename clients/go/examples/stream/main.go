// Command stream streams an answer of a gateway: go run ./examples/stream [QUESTION ...]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	interlingua "interlingua.dev/go"
)

func main() {
	question := strings.Join(os.Args[1:], " ")
	if question == "" {
		question = "Why is the sky blue? Answer in one sentence."
	}
	client, err := interlingua.New("")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	stream := client.Stream(context.Background(), interlingua.Prompt(question))
	for text, err := range stream.Text() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(text)
	}
	usage := stream.Completed().GetUsage()
	fmt.Printf("\n[%d tokens in, %d out]\n", usage.GetInputTokens(), usage.GetOutputTokens())
}
