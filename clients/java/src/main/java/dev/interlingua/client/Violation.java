package dev.interlingua.client;

/**
 * One thing that stood in the way of a call.
 *
 * @param subject the path of a field ({@code messages[0].role}), the subject of a quota or that of
 *     a precondition
 * @param description what is wrong with it
 */
public record Violation(String subject, String description) {}
