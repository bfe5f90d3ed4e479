import { describe, expect, it } from "vitest";
import { readGlobalFlags } from "./global-flags.ts";

describe("global flags", () => {
  it("reads flags from the environment; etcd's ports choose etcd's driver", () => {
    expect(readGlobalFlags({}, { FLEETCTL_REQUEST_TIMEOUT: "5" }).requestTimeoutMs).toBe(5000);
    expect(readGlobalFlags({ requestTimeout: "1" }, { FLEETCTL_REQUEST_TIMEOUT: "5" }).requestTimeoutMs).toBe(1000);
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:2379" }).driver).toBe("etcd");
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:4001/" }).driver).toBe("etcd");
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:2379,http://y:2379" }).driver).toBe("etcd");
    expect(readGlobalFlags({}, { FLEETCTL_ENDPOINT: "http://x:49153" }).driver).toBe("API");
  });
  it("stands in for every flag", () => {
    const env = {
      FLEETCTL_TUNNEL: "bastion",
      FLEETCTL_SSH_USERNAME: "me",
      FLEETCTL_SSH_TIMEOUT: "3",
      FLEETCTL_KNOWN_HOSTS_FILE: "~/hosts",
      FLEETCTL_STRICT_HOST_KEY_CHECKING: "false",
      FLEETCTL_DEBUG: "true",
      FLEETCTL_ETCD_KEY_PREFIX: "/x/",
      FLEETCTL_CA_FILE: "/ca",
      HOME: "/home/me",
    };
    expect(readGlobalFlags({}, env)).toMatchObject({
      etcdKeyPrefix: "/x/",
      caFile: "/ca",
      debug: true,
      ssh: { tunnel: "bastion", username: "me", timeoutMs: 3000, knownHostsFile: "/home/me/hosts", isStrict: false },
    });
    expect(readGlobalFlags({ sshUsername: "you", strictHostKeyChecking: true }, env).ssh).toMatchObject({
      username: "you",
      isStrict: true,
    });
  });
});
