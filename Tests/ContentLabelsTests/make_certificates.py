#!/usr/bin/env python3
"""Makes the certificates that tests sign C2PA manifests with, and that nobody trusts: a root, an issuer, a signer. With
--signers it makes signers alone, under a root of their own: some that readers accept, and some with one flaw each. Needs
`cryptography`, and `openssl` for a key that spells its curve out.

    python3 Tests/ContentLabelsTests/make_certificates.py Tests/ContentLabelsTests/Goldens
    python3 Tests/ContentLabelsTests/make_certificates.py --signers Tests/ContentLabelsTests/Goldens/signers
"""
import datetime
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def certificate(name, key, issuer, issuer_key, authority):
    subject = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nephele tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2026, 1, 1)).not_valid_after(datetime.datetime(2066, 1, 1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.KeyUsage(
            digital_signature=not authority, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False,
            decipher_only=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False))
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return subject, builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main(folder):
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root_name, root = certificate("root", keys[0], None, keys[0], True)
    issuer_name, issuer = certificate("issuer", keys[1], root_name, keys[0], True)
    _, signer = certificate("signer", keys[2], issuer_name, keys[1], False)
    (folder / "root.pem").write_bytes(root)
    (folder / "chain.pem").write_bytes(signer + issuer)
    (folder / "signer-key.pem").write_bytes(keys[2].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def signers(folder):
    """NAME.pem is a certificate, key.pem the key of all that have a plain one."""
    usages = ExtendedKeyUsageOID
    plain = dict(
        extended=[usages.EMAIL_PROTECTION], usage=True, signs=True, authority=True, year=(2026, 2066), form=None)
    wanted = {
        "plain": {}, "several-usages": dict(extended=[usages.SERVER_AUTH, usages.EMAIL_PROTECTION]),
        "compressed-point": dict(form="compressed"), "server-usage": dict(extended=[usages.SERVER_AUTH]),
        "any-usage": dict(extended=[usages.ANY_EXTENDED_KEY_USAGE, usages.EMAIL_PROTECTION]),
        "no-extended-usage": dict(extended=None), "no-key-usage": dict(usage=False), "not-for-signing": dict(signs=False),
        "no-authority-identifier": dict(authority=False), "expired": dict(year=(2020, 2021)),
        "not-yet-valid": dict(year=(2065, 2066)),
    }
    folder.mkdir(exist_ok=True)
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, _ = certificate("root", root_key, None, root_key, True)
    for name, changes in wanted.items():
        want = {**plain, **changes}
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).issuer_name(root_name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime(want["year"][0], 1, 1))
            .not_valid_after(datetime.datetime(want["year"][1], 1, 1)))
        if want["usage"]:
            builder = builder.add_extension(x509.KeyUsage(
                digital_signature=want["signs"], content_commitment=not want["signs"], key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False,
                decipher_only=False), critical=True)
        if want["extended"]:
            builder = builder.add_extension(x509.ExtendedKeyUsage(want["extended"]), critical=False)
        if want["authority"]:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        signed = builder.sign(root_key, hashes.SHA256())
        if want["form"] == "compressed":
            signed = compressed(signed, key, root_key)
        (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    sec1 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    # As `openssl ecparam -name prime256v1 -genkey` writes it: the curve's name first.
    (folder / "key-behind-parameters.pem").write_bytes(
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + sec1)
    (folder / "key-and-certificate.pem").write_bytes((folder / "plain.pem").read_bytes() + sec1)
    (folder / "explicit-key.pem").write_bytes(subprocess.run(
        ["openssl", "ec", "-param_enc", "explicit"], input=sec1, capture_output=True, check=True).stdout)


def compressed(certificate, key, issuer_key):
    """The same certificate with its public key as a compressed point, signed again."""
    def tlv(tag, content):
        length = len(content)
        size = bytes([length]) if length < 128 else bytes([0x81, length]) if length < 256 else bytes(
            [0x82, length >> 8, length & 255])
        return bytes([tag]) + size + content

    def parts(content):
        while content:
            length, start = content[1], 2
            if length >= 128:
                count = length & 127
                length, start = int.from_bytes(content[2:2 + count], "big"), 2 + count
            yield content[:start + length], content[start:start + length]
            content = content[start + length:]

    numbers = serialization.PublicFormat
    point = key.public_key().public_bytes(serialization.Encoding.X962, numbers.CompressedPoint)
    fields = [whole for whole, _ in parts(next(parts(certificate.tbs_certificate_bytes))[1])]
    algorithm = next(parts(next(parts(fields[6]))[1]))[0]
    fields[6] = tlv(0x30, algorithm + tlv(0x03, b"\0" + point))
    body = tlv(0x30, b"".join(fields))
    signature = issuer_key.sign(body, ec.ECDSA(hashes.SHA256()))
    return x509.load_der_x509_certificate(tlv(0x30, body + fields[2] + tlv(0x03, b"\0" + signature)))


if sys.argv[1] == "--signers":
    signers(Path(sys.argv[2]))
else:
    main(Path(sys.argv[1]))
