/** The messages and services of the contract `interlingua.v1`, generated from its protos. */
export * from './gen/interlingua/v1/admin_service.js';
export * from './gen/interlingua/v1/content.js';
export * from './gen/interlingua/v1/embed.js';
export * from './gen/interlingua/v1/error.js';
export * from './gen/interlingua/v1/feedback_service.js';
export * from './gen/interlingua/v1/gateway_service.js';
export * from './gen/interlingua/v1/generate.js';
export * from './gen/interlingua/v1/model_service.js';
export * from './gen/interlingua/v1/usage_service.js';
