import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { grpcHealth } from "@fiberlb/api";

const { SERVING, NOT_SERVING } = grpcHealth.HealthCheckResponse_ServingStatus;

/** `grpc.health.v1.Health`: SERVING until the server begins to stop. "" is the server as a whole. */
export function healthRoutes(services: readonly string[], stopping: AbortSignal): (router: ConnectRouter) => void {
  const known = new Set(["", ...services]);
  const status = () => ({ status: stopping.aborted ? NOT_SERVING : SERVING });
  return (router) => {
    router.service(grpcHealth.Health, {
      check({ service }) {
        if (!known.has(service)) throw new ConnectError(`unknown service ${service}`, Code.NotFound);
        return status();
      },
    });
  };
}
