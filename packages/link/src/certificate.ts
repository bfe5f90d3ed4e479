import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  id_ce_subjectAltName,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { SERVER_NAME } from "./contract.ts";

/** A certificate and its key, as PEM texts. The key stays in memory. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const COMMON_NAME = "2.5.4.3";
/** RFC 5280's time for a certificate without an end. Clocks of machines do not matter: etcd says when it is over. */
const NO_END = new Date("9999-12-31T23:59:59Z");

/** Makes a certificate that signs itself, with a key on P-256. */
export function makeCertificate(): ServerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = AsnConvert.serialize(certificateBody(publicKey));
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const signature = sign("sha256", Buffer.from(body), privateKey);
  const certificate = new Certificate({
    tbsCertificate: AsnConvert.parse(body, TBSCertificate),
    signatureAlgorithm: algorithm,
    signatureValue: toArrayBuffer(signature),
  });
  return {
    certificate: pem(Buffer.from(AsnConvert.serialize(certificate))),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function certificateBody(publicKey: KeyObject): TBSCertificate {
  const key = publicKey.export({ type: "spki", format: "der" });
  const name = new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: COMMON_NAME, value: new AttributeValue({ utf8String: SERVER_NAME }) }),
    ]),
  ]);
  const names = new SubjectAlternativeName([new GeneralName({ dNSName: SERVER_NAME })]);
  return new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 }),
    issuer: name,
    validity: new Validity({ notBefore: new Date(0), notAfter: NO_END }),
    subject: name,
    subjectPublicKeyInfo: AsnConvert.parse(key, SubjectPublicKeyInfo),
    extensions: new Extensions([
      new Extension({ extnID: id_ce_subjectAltName, extnValue: new OctetString(AsnConvert.serialize(names)) }),
    ]),
  });
}

/** Positive, as RFC 5280 asks for, and another one each time. */
function serialNumber(): ArrayBuffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return toArrayBuffer(bytes);
}

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
