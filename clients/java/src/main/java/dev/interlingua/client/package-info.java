/** The client of the Interlingua LLM gateway; begin with {@link InterlinguaClient}. */
package dev.interlingua.client;
