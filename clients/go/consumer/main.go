// Command consumer streams an answer through the published module.
package main

import (
	"context"
	"fmt"
	"log"

	interlingua "interlingua.dev/go"
)

func main() {
	client, err := interlingua.New("") // $INTERLINGUA_ADDRESS
	if err != nil {
		log.Fatal(err)
	}
	for text, err := range client.Stream(context.Background(), interlingua.Prompt("Hello!")).Text() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(text)
	}
	fmt.Println()
}
