// Generated from clients/service_config.json. DO NOT EDIT.

/** How gRPC spreads and repeats calls. */
export const SERVICE_CONFIG = "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"retryThrottling\":{\"maxTokens\":1000,\"tokenRatio\":0.2},\"methodConfig\":[{\"name\":[{\"service\":\"interlingua.v1.GatewayService\"},{\"service\":\"interlingua.v1.ModelService\"}],\"retryPolicy\":{\"maxAttempts\":5,\"initialBackoff\":\"0.2s\",\"maxBackoff\":\"2s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}";
