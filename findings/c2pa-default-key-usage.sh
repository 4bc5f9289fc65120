#!/usr/bin/env bash
# c2pa-python 0.38.1 (c2pa-rs underneath), cryptography 46, pillow 12: which extended key usage a signer's certificate needs.
#
# The C2PA specification 2.2 (§14.5.1.1) has a usage of its own for signers, c2pa-kp-claimSigning (1.3.6.1.4.1.62558.2.1),
# and names documentSigning (1.3.6.1.5.5.7.3.36) among those that earlier versions allowed. One would guess that the
# reference implementation takes a certificate with its own usage. Without trust settings it does not: the certificate
# passes the check before signing, and the check of the signed file fails with signingCredential.invalid. Of the usages
# tried only emailProtection (1.3.6.1.5.5.7.3.4) is valid by default, alone or beside others.
#
# Seen on 2026-11-29: emailProtection Valid; emailProtection and C2PA's own Valid; emailProtection and serverAuth Valid;
# C2PA's own alone, and documentSigning alone, signingCredential.invalid; serverAuth alone «the certificate is invalid».
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q c2pa-python==0.38.1 cryptography==46.0.3 pillow==12.0.0
"$folder/v/bin/python" -W ignore - <<'PY'
import datetime, io, json, sys
import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier
from PIL import Image

EMAIL, DOCUMENT, OWN, SERVER = (
    "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.1")


def certificate(name, key, issuer, issuer_key, usages):
    def full(common):
        return x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now, is_authority = datetime.datetime.now(datetime.timezone.utc), usages is None
    builder = (
        x509.CertificateBuilder().subject_name(full(name)).issuer_name(full(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.KeyUsage(
            digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority,
            content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False))
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(u) for u in usages]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def outcome(usages):
    root, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = certificate("signer", signer, "root", root, usages) + certificate("root", root, "root", root, None)
    key = signer.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    picture, signed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(picture, "PNG")
    picture.seek(0)
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    manifest = {
        "claim_generator_info": [{"name": "example", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [
            {"action": "c2pa.created", "digitalSourceType": source}]}}]}
    try:
        info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None)
        with c2pa.Signer.from_info(info) as s, c2pa.Builder(json.dumps(manifest)) as builder:
            builder.sign(s, "image/png", picture, signed)
    except Exception as error:
        return "signingCredential.invalid" if "signingCredential.invalid" in str(error) else "refused before signing"
    signed.seek(0)
    with c2pa.Reader("image/png", signed) as reader:
        return json.loads(reader.json())["validation_state"]


expected = [
    ([EMAIL], "Valid"), ([EMAIL, OWN], "Valid"), ([EMAIL, SERVER], "Valid"), ([OWN], "signingCredential.invalid"),
    ([DOCUMENT], "signingCredential.invalid"), ([SERVER], "refused before signing")]
found = [(usages, outcome(usages)) for usages, _ in expected]
for usages, what in found: print(*usages, "->", what)
sys.exit(found != expected)
PY
