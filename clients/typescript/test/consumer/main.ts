import { Client } from 'interlingua';
import { Role } from 'interlingua/v1';

const client = new Client();
const stream = client.stream([{ role: 'user', content: 'Say hello.' }], { maxOutputTokens: 20 });
for await (const text of stream.text()) process.stdout.write(text);
const { message, usage } = stream.response;
if (message.role !== Role.ASSISTANT) throw new Error('not an answer of the model');
console.log(`\n${usage.outputTokens} tokens`);
