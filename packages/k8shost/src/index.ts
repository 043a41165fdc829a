export { type Authenticator, openAuthenticator } from "./auth/authenticator.ts";
export { createIamAuthenticator, type IamAuthenticator, type IamOptions } from "./auth/iam.ts";
export { createTokenAuthenticator, hashToken } from "./auth/tokens.ts";
export type { ServerTls } from "./api/api-server.ts";
export { type Cancel, type Clock, systemClock } from "./clock.ts";
export { createK8shost, DEFAULT_PORT, type K8shost, type K8shostOptions } from "./host.ts";
export type { Strategy } from "./scheduler/decide.ts";
