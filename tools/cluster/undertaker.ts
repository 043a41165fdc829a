// Removes a lab when the process that built it is gone, however it went: also by SIGKILL, and also out of a test runner that
// lets nobody hear of its end.
import { spawn } from "node:child_process";
import type { Socket } from "node:net";

/** Waits for the end of its input, which comes when the other end of the pipe is closed, by whomever. */
const SCRIPT = `cat > /dev/null
folder=$1; shift
for namespace in "$@"; do
  ip netns pids "$namespace" | xargs -r kill -9
  ip netns del "$namespace"
done
rm -rf -- "$folder"
`;

/**
 * Has these namespaces and this folder removed when this process ends; what is gone by then is passed over.
 * @returns what dismisses it: whoever has removed everything in order needs it no more
 */
export function appointUndertaker(folder: string, namespaces: readonly string[]): () => void {
  const child = spawn("bash", ["-c", SCRIPT, "undertaker", folder, ...namespaces], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // a Ctrl-C in the terminal must not reach it
  });
  child.stdin.on("error", () => undefined); // it was killed: then the next run sweeps
  (child.stdin as Socket).unref();
  child.unref();
  return () => child.kill("SIGKILL");
}
