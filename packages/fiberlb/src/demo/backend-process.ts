import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A demo backend that runs as its own process. */
export interface BackendProcess {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it the hard way (SIGKILL), as a crash would; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a backend; port 0 lets the system choose. Resolves when it listens. */
export async function startBackend(name: string, port = 0): Promise<BackendProcess> {
  const isSource = import.meta.url.endsWith(".ts");
  const script = fileURLToPath(
    isSource ? new URL("./backend.ts", import.meta.url) : new URL("./backend.js", import.meta.url),
  );
  const child = spawn(process.execPath, [script, name, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
  const listening = await firstLine(child, name);
  return {
    name,
    port: (JSON.parse(listening) as { port: number }).port,
    pid: child.pid!,
    kill: () => kill(child),
  };
}

function firstLine(child: ChildProcess, name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface(child.stdout!).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`demo backend ${name} ended with code ${code} before it listened`)));
  });
}

function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
