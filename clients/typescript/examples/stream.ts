/** Streams an answer of the embedded model: node build/examples/stream.js [ADDRESS] */
import { Client, InterlinguaError, system, user } from '../src/index.js';

const client = new Client(process.argv[2]);
const stream = client.stream([system('Be brief.'), user('Tell me a story about a fox.')], {
  maxOutputTokens: 200,
});
try {
  for await (const text of stream.text()) process.stdout.write(text);
  const { usage, finishReason } = stream.response;
  console.log(`\n\n${finishReason} after ${usage.outputTokens.toString()} tokens`);
} catch (error) {
  if (!(error instanceof InterlinguaError)) throw error;
  console.error(`\n${error.code} ${error.reason} ${error.message}`);
  process.exitCode = 1;
}
