import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { pattern } from "../../transport/peer.ts";
import { HttpRig, OK, receives } from "../http-rig.ts";

const why = /HTTP2/.test(String(spawnSync("curl", ["--version"]).stdout)) ? "" : "curl with HTTP/2 is not installed";

(why ? describe.skip : describe)(`curl${why ? ` (skipped: ${why})` : ""}`, () => {
  let rig: HttpRig;
  beforeEach(() => void (rig = new HttpRig()));
  afterEach(() => rig.close());

  /** What curl prints: version and status, and the body's length. */
  async function curl(...args: readonly string[]): Promise<string> {
    const { port } = await rig.listen();
    const format = "%{http_version} %{response_code} %{size_download}";
    const options = ["--silent", "--show-error", "--output", "/dev/null", "--write-out", format, ...args];
    return (await promisify(execFile)("curl", [...options, `http://127.0.0.1:${port}/a`])).stdout;
  }

  it("speaks HTTP/2 with prior knowledge", async () => {
    const server = await rig.backend();
    const said = curl("--http2-prior-knowledge", "--data", "x=1");
    const backend = await server.next();
    expect(await receives(backend, /x=1$/)).toMatch(/^POST \/a HTTP\/1.1\r\nhost: 127.0.0.1:/);
    await backend.send(OK);
    expect(await said).toBe("2 200 2");
  });

  it("gets a large body whole", async () => {
    const server = await rig.backend();
    const said = curl("--http2-prior-knowledge");
    const backend = await server.next();
    await receives(backend, /\r\n\r\n$/);
    const body = pattern(5_000_000);
    await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    await backend.send(body);
    expect(await said).toBe("2 200 5000000");
  });

  it("stays with HTTP/1.1 when it asks for an upgrade to h2c", async () => {
    const server = await rig.backend();
    const said = curl("--http2");
    const backend = await server.next();
    expect(await receives(backend, /\r\n\r\n$/)).not.toMatch(/upgrade|http2-settings/i);
    await backend.send(OK);
    expect(await said).toBe("1.1 200 2");
  });
});
