import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of a certificate and its key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certification authority of a test's own, made by OpenSSL, with the certificates that it signs. */
export class TestCA {
  readonly folder = mkdtempSync(join(tmpdir(), "fleet-ca-"));
  readonly ca: string;
  readonly #key: string;
  #count = 0;

  constructor() {
    this.ca = join(this.folder, "ca.pem");
    this.#key = join(this.folder, "ca.key");
    const subject = ["-subj", "/CN=fleet test CA", "-days", "2"];
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      this.#key,
      "-out",
      this.ca,
      ...subject,
    );
  }

  /** Signs a certificate for names and addresses, as `DNS:localhost` or `IP:127.0.0.1`. */
  sign(name: string, alternatives: readonly string[]): KeyPair {
    const base = join(this.folder, `${name}-${this.#count++}`);
    const [cert, key, request, extensions] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`];
    writeFileSync(extensions, alternatives.length === 0 ? "" : `subjectAltName=${alternatives.join(",")}\n`);
    openssl(
      "req",
      "-new",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      key,
      "-out",
      request,
      "-subj",
      `/CN=${name}`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      request,
      "-CA",
      this.ca,
      "-CAkey",
      this.#key,
      "-CAcreateserial",
      "-out",
      cert,
      "-days",
      "2",
      "-extfile",
      extensions,
    );
    return { cert, key };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "ignore" });
}
