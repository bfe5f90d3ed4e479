import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SLEEP, TestCluster } from "../testbed/test-cluster.ts";

/** A token and its line in the file of tokens. */
interface Token {
  readonly secret: string;
  readonly line: string;
}

const token = (role: string, fields: string, name: string): Token => {
  const secret = randomBytes(16).toString("hex");
  const sha256 = createHash("sha256").update(secret).digest("hex");
  return { secret, line: [role, fields, sha256, name].filter((word) => word !== "").join(" ") };
};
const admin = token("operator", "", "Ada");
const web = token("operator", "units=web@*", "Wes");
const viewer = token("viewer", "", "Vi");

let cluster: TestCluster;
const host = (...command: string[]): Promise<string> => cluster.cluster.network.must(1, ...command);
const shell = (script: string): Promise<string> => host("sh", "-c", script);
/** fleetctl with a token; what it prints on either stream, and its exit code. */
const as = ({ secret }: Token, words: string): Promise<string> =>
  shell(
    `printf %s ${secret} >/root/token; fleetctl --request-timeout=20 --token-file /root/token ${words} 2>&1; echo "exit $?"`,
  );
/** Puts a file of tokens into force. */
const allow = (...tokens: readonly Token[]): Promise<string> =>
  shell(
    `printf '%s\\n' ${tokens.map(({ line }) => `'${line}'`).join(" ")} >/etc/fleet/tokens && systemctl reload fleet`,
  );
const audited = async (word: string): Promise<string> => {
  let lines = "";
  await cluster.until(`a line of the audit log with ${word}`, async () => {
    lines = await shell(
      `journalctl -b --no-pager -o cat -u fleet.service | grep 'audit: ' | grep -F '${word}' || true`,
    );
    return lines !== "";
  });
  return lines;
};

beforeAll(async () => {
  cluster = await TestCluster.start([{ all: true }], "agent_ttl=30s");
  await shell(
    `printf '%s' '${SLEEP}' >/root/web@.service; for name in db kept seen; do printf '%s' '${SLEEP}' >/root/$name.service; done`,
  );
  await shell(
    `printf '%s\\n' '${admin.line}' >/etc/fleet/tokens; chgrp fleet-secrets /etc/fleet/tokens; chmod 640 /etc/fleet/tokens; echo api_tokens_file=/etc/fleet/tokens >>/etc/fleet/fleet.conf`,
  );
});
afterAll(() => cluster?.stop());

describe("tokens on a host as it is installed", () => {
  it("let an operator with a scope change its units only, and a viewer none", async () => {
    await allow(admin, web, viewer);
    expect(await as(admin, "submit /root/web@.service")).toContain("exit 0");
    expect(await as(web, "start web@1.service")).toContain("exit 0");
    const refused = await as(web, "submit /root/db.service");
    expect(refused).toContain("this token may change only units that match web@*");
    expect(refused).toContain("exit 1");
    expect(await as(viewer, "list-units --no-legend --fields=unit")).toMatch(/^web@1\.service$[\s\S]*^exit 0$/m);
    expect(await as(viewer, "stop web@1.service")).toContain("a change needs role operator");
    expect(await cluster.show(1, "web@1.service", "ActiveState")).toBe("active");
    expect(await shell("fleetctl list-units 2>&1; echo $?")).toMatch(/token.*\n1\n$/s);
  });
  it("are named in a line of the audit log for each change, also a refused one, with the process that asked", async () => {
    await allow(admin, web);
    await as(web, "submit /root/db.service");
    expect(await audited("units/db.service by Wes")).toMatch(
      /^api: audit: Units\.Set \/fleet\/v1\/units\/db\.service by Wes, uid 0, pid [1-9]\d* from unix: 403/m,
    );
    expect(await as(admin, "load --no-block /root/seen.service")).toContain("exit 0");
    expect(await audited("units/seen.service by Ada")).toMatch(/ by Ada, uid 0, pid [1-9]\d* from unix: 20\d/);
  });
  it("that end are refused from then on, with the time", async () => {
    const ends = new Date(Date.now() + 4_000);
    const brief = token("viewer", `expires=${ends.toISOString().replace(/\.\d+/, "")}`, "Bo");
    await allow(admin, brief);
    expect(await as(brief, "list-machines --no-legend")).toContain("exit 0");
    await cluster.until("the token to be refused", async () =>
      (await as(brief, "list-machines")).includes("this token expired at"),
    );
  });
  it("that are revoked end their event streams at once, and no others", async () => {
    await allow(admin, viewer);
    const follow = ({ secret }: Token, file: string): Promise<string> =>
      shell(
        `curl -sN --unix-socket /run/fleet.sock -H 'Authorization: Bearer ${secret}' http://x/fleet/v1/events >${file} 2>&1 & echo $!`,
      );
    const [revoked, kept] = [
      (await follow(viewer, "/root/revoked")).trim(),
      (await follow(admin, "/root/kept")).trim(),
    ];
    await cluster.until("both streams to be open", async () => {
      const counts = await shell("grep -c 'event: revision' /root/revoked /root/kept || true");
      return counts.match(/:[1-9]/g)?.length === 2;
    });
    await allow(admin);
    // A beat of the stream, which would notice too, comes after 15 s.
    await cluster.until(
      "the stream to end",
      async () => (await shell(`kill -0 ${revoked} 2>&1 || echo over`)) !== "",
      5_000,
    );
    expect(await shell(`kill -0 ${kept} && echo runs`)).toBe("runs\n");
    await as(admin, "submit /root/kept.service");
    await cluster.until("the other stream to go on", async () =>
      (await shell("cat /root/kept")).includes("kept.service"),
    );
    expect(await as(viewer, "list-units")).toContain("invalid token");
    await host("kill", kept);
  });
});
