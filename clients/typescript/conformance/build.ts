/** The request of the operation `build`, made with the client's constructors. */
import {
  assistant,
  functionTool,
  image,
  jsonSchema,
  system,
  toolCall,
  toolResult,
  user,
} from '../src/index.js';
import { generateRequest } from '../src/requests.js';
import type { GenerateRequest } from '../src/v1.js';

export function builtRequest(): GenerateRequest {
  const picture = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
  const call = { id: 'call_1', name: 'lookup' };
  return generateRequest(
    [
      system('Be brief.'),
      user('What is this? 🦊', image(picture, 'image/png', { detail: 'high' })),
      user(image('https://example.org/fox.jpg')),
      assistant(toolCall(call.id, call.name, { animal: 'fox' })),
      toolResult(call, 'Vulpes vulpes'),
    ],
    {
      model: 'any',
      tools: [
        functionTool({
          name: 'lookup',
          description: 'Looks up an animal.',
          parameters: {
            type: 'object',
            properties: { animal: { type: 'string' } },
            required: ['animal'],
          },
        }),
      ],
      responseFormat: jsonSchema(
        { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
        { name: 'animal', strict: true },
      ),
      temperature: 0.5,
      maxOutputTokens: 100,
    },
  );
}
