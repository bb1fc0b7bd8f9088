"""Streams an answer as it is generated; the gateway's address is $INTERLINGUA_ADDRESS."""

from interlingua import Client


def main() -> None:
    with Client() as client, client.stream("Tell me a story about a fox.") as answer:
        for text in answer.text_deltas():
            print(text, end="", flush=True)
        print(f"\n({answer.response.usage.output_tokens} tokens)")


if __name__ == "__main__":
    main()
