export { type Clock, systemClock } from "./clock.ts";
export { type Config, type ConfigResult, configSchema, type ConfigSources, parseConfig } from "./config/config.ts";
export { type ConfigKey, configKeys } from "./config/keys.ts";
export {
  type AdjustableLog,
  createLog,
  type Log,
  type LogFields,
  type LogLevel,
  type LogOptions,
  silentLog,
} from "./log.ts";
export { askForBackup, controlSocketPath } from "./control-socket.ts";
export { dataFolder } from "./data-folder.ts";
export { examine, type Section } from "./doctor/examine.ts";
export type { DoctorFacts } from "./doctor/facts.ts";
export type { Finding } from "./doctor/finding.ts";
export { probeHost } from "./doctor/probe.ts";
export { etcdOptions } from "./open-store.ts";
export { type Random, systemRandom } from "./random.ts";
export { type RunningServer, type ServerOptions, startServer, type TakeoverRequest } from "./server.ts";
