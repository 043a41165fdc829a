import { expect, test } from "@jest/globals";

import { parseUnit, scriptOf } from "./unit-file.ts";

const UNIT = `[Unit]
Description=a daemon

[Service]
EnvironmentFile=/etc/d/host.env
EnvironmentFile=-/etc/d/more.env
Environment=COLOUR=none
RuntimeDirectory=d
WorkingDirectory=/var/lib/d
ExecStartPre=-/bin/rm -f /run/d/socket
ExecStart=/usr/bin/d --name \${NAME} \\
  --quiet
Restart=on-failure
`;

test("a unit is a script that becomes its daemon", () => {
  expect(scriptOf(parseUnit(UNIT)).split("\n")).toEqual([
    "set -a",
    "COLOUR=none",
    ". /etc/d/host.env",
    "[ ! -e /etc/d/more.env ] || . /etc/d/more.env",
    "set +a",
    "mkdir -p /run/d",
    "cd /var/lib/d",
    "/bin/rm -f /run/d/socket || true",
    "exec /usr/bin/d --name ${NAME} --quiet",
  ]);
});

test("a unit that starts nothing is refused", () => {
  expect(() => parseUnit("[Service]\nType=oneshot\n")).toThrow("A unit needs one ExecStart=");
});
