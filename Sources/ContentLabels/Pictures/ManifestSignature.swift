internal import Crypto
internal import CryptoExtras
internal import Foundation
internal import X509

/// The signature of a claim: COSE_Sign1 (RFC 9052 §4.2) with the signer's certificate in a header.
struct ManifestSignature {
    /// DER.
    let certificate: [UInt8]
    private let parsed: Certificate
    private let protected: [UInt8]
    private let algorithm: Int
    private let signature: [UInt8]

    /// - Throws: `CredentialsFlaw` for bytes that are none.
    init(_ bytes: ArraySlice<UInt8>) throws(CredentialsFlaw) {
        var value = try CBORReader.value(of: bytes)
        if case .tagged(18, let inner) = value { value = inner }
        guard let fields = value.elements, fields.count == 4, case .null = fields[2], let protected = fields[0].bytes,
            let signature = fields[3].bytes
        else { throw CredentialsFlaw("the signature is no COSE_Sign1 whose payload stands beside it") }
        let header = try CBORReader.value(of: protected[...])
        guard let algorithm = header[1]?.integer else { throw CredentialsFlaw("the signature names no algorithm") }
        // 33 is x5chain (RFC 9360); the first specifications wrote it out.
        let chain = header[33] ?? header["x5chain"] ?? fields[1][33] ?? fields[1]["x5chain"]
        guard let certificate = chain?.bytes ?? chain?.elements?.first?.bytes else {
            throw CredentialsFlaw("the signature has no certificate")
        }
        (self.protected, self.algorithm, self.signature) = (protected, algorithm, signature)
        self.certificate = certificate
        do { parsed = try Certificate(derEncoded: certificate) } catch {
            throw CredentialsFlaw("the signer's certificate cannot be read")
        }
    }

    /// The organization, or else the common name, that the certificate is of.
    var issuer: String? {
        let names = parsed.subject.flatMap { Array($0) }
        let name =
            names.first { $0.type == .RDNAttributeType.organizationName }
            ?? names.first { $0.type == .RDNAttributeType.commonName }
        return name.flatMap { String($0.value) }
    }

    /// - Throws: `CredentialsFlaw` where the certificate does not hold, or has not signed the claim.
    func check(of claim: ArraySlice<UInt8>, at now: Date) throws(CredentialsFlaw) {
        guard now >= parsed.notValidBefore else {
            throw CredentialsFlaw(
                "the signer's certificate is not valid before \(SignerCertificate.day(parsed.notValidBefore))")
        }
        guard now <= parsed.notValidAfter else {
            throw CredentialsFlaw(
                "the signer's certificate has expired on \(SignerCertificate.day(parsed.notValidAfter))")
        }
        let signed = CBOR.array([.text("Signature1"), .bytes(protected), .bytes([]), .bytes(Array(claim))]).encoded
        let holds: Bool
        switch algorithm {
        case -7, -37: holds = isValid(for: SHA256.hash(data: signed))
        case -35, -38: holds = isValid(for: SHA384.hash(data: signed))
        case -36, -39: holds = isValid(for: SHA512.hash(data: signed))
        case -8:
            holds = Curve25519.Signing.PublicKey(parsed.publicKey)?.isValidSignature(signature, for: signed) ?? false
        default:
            throw CredentialsFlaw("its signature is made by COSE's algorithm \(algorithm), which C2PA does not know")
        }
        guard holds else { throw CredentialsFlaw("the signature is not that of the certificate over the claim") }
    }

    /// ECDSA on the certificate's curve, or RSA-PSS, by the algorithm's number (RFC 9053 §2.1, RFC 8230 §2).
    private func isValid(for digest: some Digest) -> Bool {
        let key = parsed.publicKey
        guard algorithm > -37 else {
            return _RSA.Signing.PublicKey(key)?.isValidSignature(
                .init(rawRepresentation: signature), for: digest, padding: .PSS) ?? false
        }
        if let key = P256.Signing.PublicKey(key),
            let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
        {
            return key.isValidSignature(signature, for: digest)
        }
        if let key = P384.Signing.PublicKey(key),
            let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature)
        {
            return key.isValidSignature(signature, for: digest)
        }
        if let key = P521.Signing.PublicKey(key),
            let signature = try? P521.Signing.ECDSASignature(rawRepresentation: signature)
        {
            return key.isValidSignature(signature, for: digest)
        }
        return false
    }
}
