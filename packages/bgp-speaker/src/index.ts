export { type Cancel, type Clock, systemClock } from "./clock.ts";
export { createSpeaker } from "./create-speaker.ts";
export { RouteError, SpeakerError } from "./errors.ts";
export type { SpeakerLogger } from "./logger.ts";
export type { ManagedBgp, Peer, PeerBfd, PeerGracefulRestart } from "./peer.ts";
export type { Random } from "./random.ts";
export type { Route } from "./route.ts";
export type { AnnounceReport, Speaker, SpeakerOptions, SpeakerTls } from "./speaker.ts";
export type { DaemonStatus, PeerStatus, SessionState, SpeakerStatus } from "./status.ts";
