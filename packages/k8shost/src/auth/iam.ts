import { createHash } from "node:crypto";

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { iam } from "@fiberlb/api";
import { parseTenant, type Role, roles, type TenantContext, unauthenticated, unavailable } from "@fiberlb/types";

import { type Clock, systemClock } from "../clock.ts";
import { actingTenant, type Authenticator, bearerToken } from "./authenticator.ts";

/** How an IAM server is asked. */
export interface IamOptions {
  /** `host:port` (cleartext) or a URL. */
  readonly server: string;
  /** How long an answer holds, at most; a revoked token works for so long. Default 5000. */
  readonly cacheMs?: number;
  /** Default 2000. */
  readonly timeoutMs?: number;
  /** Default: the machine's own. */
  readonly clock?: Clock;
}

/** An authenticator with a connection. */
export interface IamAuthenticator extends Authenticator {
  readonly close: () => void;
}

interface Answer {
  /** Undefined: the token is not valid. */
  readonly caller: Promise<TenantContext | undefined>;
  /** By the clock's `nowMs`. */
  untilMs: number;
}

const MAX_ANSWERS = 10_000;

/**
 * Asks an IAM server (`iam.v1.TokenService`) whose a token is, and remembers for seconds. When it cannot be asked, nobody gets
 * in: UNAVAILABLE, whatever was known before.
 */
export function createIamAuthenticator({ server, clock = systemClock, ...options }: IamOptions): IamAuthenticator {
  const { cacheMs = 5000, timeoutMs = 2000 } = options;
  const baseUrl = server.includes("://") ? server : `http://${server}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(iam.TokenService, createGrpcTransport({ baseUrl, sessionManager }));
  const answers = new Map<string, Answer>();

  const ask = async (token: string, answer: () => Answer): Promise<TenantContext | undefined> => {
    const found = await client.validateToken({ token }, { timeoutMs }).catch((error: unknown) => {
      throw unavailable("the IAM server", { cause: error });
    });
    const leftMs = found.expiresAt === undefined ? cacheMs : timestampMs(found.expiresAt) - clock.epochMs();
    answer().untilMs = clock.nowMs() + Math.min(cacheMs, leftMs);
    return found.valid && leftMs > 0 ? callerOf(found) : undefined;
  };

  const callerOfToken = (token: string): Promise<TenantContext | undefined> => {
    const key = createHash("sha256").update(token).digest("base64");
    const known = answers.get(key);
    if (known !== undefined && known.untilMs > clock.nowMs()) return known.caller;
    if (answers.size >= MAX_ANSWERS) answers.clear();
    // Calls that come while it is asked wait for the same answer.
    const answer: Answer = { caller: ask(token, () => answer), untilMs: clock.nowMs() + timeoutMs };
    answers.set(key, answer);
    answer.caller.catch(() => answers.delete(key));
    return answer.caller;
  };

  return {
    isOpen: false,
    close: () => sessionManager.abort(),
    async authenticate(headers) {
      const token = bearerToken(headers);
      if (token === undefined)
        throw unauthenticated("A bearer token is needed: send it as authorization: Bearer <token>");
      const caller = await callerOfToken(token);
      if (caller === undefined) throw unauthenticated("The IAM server does not accept the bearer token");
      return actingTenant(caller, headers);
    },
  };
}

/** An answer that names no tenant or role is no permission. */
function callerOf({ orgId, projectId, role }: iam.ValidateTokenResponse): TenantContext {
  const isRole = (roles as readonly string[]).includes(role);
  const tenant = orgId !== "" && projectId !== "" && isRole && parseTenant({ orgId, projectId }, role as Role);
  if (tenant === false || !tenant.ok)
    throw unavailable("the IAM server (its answer names no organisation, project and role)");
  return tenant.value;
}
