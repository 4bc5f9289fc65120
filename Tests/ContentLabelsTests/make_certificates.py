#!/usr/bin/env python3
"""Makes the certificates that tests sign C2PA manifests with, and that nobody trusts: a root, an issuer, a signer. Needs
`cryptography`.

    python3 Tests/ContentLabelsTests/make_certificates.py Tests/ContentLabelsTests/Goldens
"""
import datetime
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


main(Path(sys.argv[1]))
