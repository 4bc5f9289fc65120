#!/usr/bin/env bash
# c2pa-python 0.38.1 (c2pa-rs underneath), cryptography 46, pillow 12: what a thumbnail of a small picture is.
#
# Signing adds a thumbnail unless a setting says no. One would guess that it is at most as large as the picture. It has a
# long edge of 1024 pixels whatever the picture has: small ones are enlarged. An icon of 24 × 16 pixels carries a thumbnail
# of 1024 × 683, and the file of a red one grows from 83 bytes to 22,815 as PNG, and from 80 to 114,834 as WebP, where the
# thumbnail is WebP too; with noise in it the latter is over 300,000. Whoever signs sprites, avatars or the pictures of a small diffusion model should set
# {"builder": {"thumbnail": {"enabled": false}}}: then the file grows by less than 4,000 bytes.
#
# Seen on 2026-11-30: PNG (1024, 683), 275 times the file; WebP (1024, 683), 1,435 times; without a thumbnail both are
# less than 2,700 bytes larger.
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

now = datetime.datetime.now(datetime.timezone.utc)
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def name(common):
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


leaf = (
    x509.CertificateBuilder().subject_name(name("signer")).issuer_name(name("root")).public_key(key.public_key())
    .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=90))
    .add_extension(x509.BasicConstraints(False, None), critical=True)
    .add_extension(x509.KeyUsage(
        digital_signature=True, key_cert_sign=False, crl_sign=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
    .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    .sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def signed(kind, thumbnail):
    """The file before and after, and the thumbnail's size."""
    picture, target = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(picture, kind)
    picture.seek(0)
    manifest = {"claim_generator_info": [{"name": "example", "version": "1"}], "assertions": [{"label": "c2pa.actions", "data": {
        "actions": [{"action": "c2pa.created", "digitalSourceType": SOURCE}]}}]}
    context = c2pa.Context(settings=c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": thumbnail}}}))
    builder = c2pa.Builder(manifest, context=context)
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", leaf, private, None))
    builder.sign(signer, "image/" + kind, picture, target)
    size = None
    if thumbnail:
        with c2pa.Reader("image/" + kind, io.BytesIO(target.getvalue())) as reader:
            found = json.loads(reader.json())
            image = io.BytesIO()
            reader.resource_to_stream(
                found["manifests"][found["active_manifest"]]["thumbnail"]["identifier"], image)
            size = Image.open(image).size
    return len(picture.getvalue()), len(target.getvalue()), size


failed = False
for kind, factor in (("png", 100), ("webp", 100)):
    before, after, size = signed(kind, True)
    _, without, _ = signed(kind, False)
    print(kind, "24x16:", before, "bytes; signed", after, "thumbnail", size, "; without one", without)
    failed |= size != (1024, 683) or after < factor * before or without - before > 4_000
sys.exit("this is not what was seen on 2026-11-30" if failed else 0)
PY
