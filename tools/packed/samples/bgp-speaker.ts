import { createSpeaker, SpeakerError } from "@fiberlb/bgp-speaker";

const speaker = createSpeaker({ gobgp: "unix:///nonexistent/gobgp.sock" });
const refused: unknown = await speaker.announce([]).catch((error: unknown) => error);
if (!(refused instanceof SpeakerError)) throw new Error("announced without a daemon");
console.log(speaker.status().daemon.state, refused.message);
await speaker.close();
