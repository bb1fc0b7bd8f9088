package dev.interlingua.client;

/**
 * The resource that an error is about.
 *
 * @param type such as {@code model}
 * @param name such as {@code gpt}
 */
public record Resource(String type, String name) {}
