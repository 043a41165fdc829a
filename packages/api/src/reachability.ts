import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

/** Why a connection could not be opened, for people, by the code of Node's error. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "the name could not be looked up",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
};

/** OpenSSL's and Node's codes for a server certificate that is not accepted. */
const UNTRUSTED = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_)/;

/** Says where a call was to go when it could not get there: Node's own errors leave the reader to guess. */
export function reachabilityInterceptor(baseUrl: string): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw explain(baseUrl, error) ?? error;
    }
  };
}

function explain(baseUrl: string, error: unknown): ConnectError | undefined {
  for (const { code, message } of causesOf(error)) {
    // Node adds advice about its own flags after a semicolon.
    const untrusted = UNTRUSTED.test(code)
      ? `its certificate is not trusted (${message.split(";", 1).join()})`
      : undefined;
    const why = UNREACHABLE[code] ?? untrusted;
    if (why === undefined) continue;
    return new ConnectError(`cannot reach ${baseUrl}: ${why}`, Code.Unavailable, undefined, undefined, error);
  }
  return undefined;
}

interface NodeCause {
  readonly code: string;
  readonly message: string;
}

/** The system errors behind an error; several when a name has several addresses. */
function causesOf(error: unknown): readonly NodeCause[] {
  if (typeof error !== "object" || error === null) return [];
  const { code, message, cause, errors } = error as Readonly<Record<string, unknown>>;
  const own = typeof code === "string" ? [{ code, message: String(message) }] : [];
  const inner = [cause, ...(Array.isArray(errors) ? (errors as unknown[]) : [])];
  return [...own, ...inner.flatMap(causesOf)];
}
