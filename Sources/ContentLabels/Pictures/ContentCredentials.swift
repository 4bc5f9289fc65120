internal import ConfigurationFiles
internal import Crypto
package import Foundation
package import PNG

/// Signs that a picture was generated, as a C2PA manifest (C2PA Technical Specification 2.2) in the PNG chunk `caBX`.
///
/// The manifest asserts one action, `c2pa.created` with the source type `trainedAlgorithmicMedia`, and binds itself to
/// the file by the SHA-256 of all its other bytes. There is no timestamp from an authority: a reader judges the signature
/// by the certificate's validity at the time it reads.
package struct ContentCredentials: Sendable {
    /// DER, the signer's first.
    let chain: [[UInt8]]
    private let key: P256.Signing.PrivateKey
    private let signer: SignerCertificate
    private let file: String
    /// What becomes of pictures once the certificate has expired: they go out unsigned, or not at all.
    package var isWithheldWhenExpired = false

    static let sourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    private static let chainLimit = 8

    /// - Parameters:
    ///   - certificates: a PEM file: the signer's certificate and those between it and the root.
    ///   - key: a PEM file: the signer's P-256 key (PKCS#8 or SEC1).
    ///   - now: when the certificate has to hold.
    /// - Throws: `LabelError` for a file that is not as it should be, a certificate whose signatures readers do not accept,
    ///   or a key that does not belong to it.
    package init(certificates: String, key: String, now: Date = Date()) throws(LabelError) {
        file = certificates
        chain = try Self.certificates(try Self.read(certificates), file: certificates)
        do {
            signer = try SignerCertificate(der: chain[0])
        } catch let flaw as SignerCertificate.Flaw {
            throw LabelError(.invalidCredentials, "\(certificates): the signer's certificate \(flaw.clause)")
        } catch {
            throw LabelError(.invalidCredentials, "\(certificates): the signer's certificate is no DER of X.509")
        }
        if let flaw = signer.flaw(at: now) {
            throw LabelError(.invalidCredentials, "\(certificates): the signer's certificate \(flaw)")
        }
        self.key = try Self.privateKey(in: try Self.read(key), file: key)
        guard signer.publicKey.rawRepresentation == self.key.publicKey.rawRepresentation else {
            throw LabelError(
                .invalidCredentials, "\(key) is not the key of the first certificate in \(certificates)")
        }
    }

    /// The first private key of a PEM file, whatever stands before it: OpenSSL writes the curve's name first.
    private static func privateKey(in text: String, file: String) throws(LabelError) -> P256.Signing.PrivateKey {
        let kinds = ["PRIVATE KEY", "EC PRIVATE KEY"]
        let places = kinds.compactMap { text.firstRange(of: "-----BEGIN \($0)-----") }
        guard let begin = places.min(by: { $0.lowerBound < $1.lowerBound }) else {
            throw LabelError(.invalidCredentials, "\(file): no P-256 private key in PEM form (PKCS#8 or SEC1)")
        }
        let kind = text[begin].dropFirst("-----BEGIN ".count).dropLast("-----".count)
        let end = "-----END \(kind)-----"
        guard let close = text[begin.upperBound...].firstRange(of: end) else {
            throw LabelError(.invalidCredentials, "\(file): the private key has no line '\(end)'")
        }
        // prime-field: the curve's parameters are spelled out instead of its name.
        let body = Data(
            base64Encoded: String(text[begin.upperBound..<close.lowerBound]), options: .ignoreUnknownCharacters)
        guard body?.firstRange(of: [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x01, 0x01]) == nil else {
            throw LabelError(
                .invalidCredentials,
                "\(file): the key spells the curve's parameters out, and readers call what it signs invalid; "
                    + "`openssl ec -in \(file) -param_enc named_curve` names the curve")
        }
        do {
            return try P256.Signing.PrivateKey(pemRepresentation: String(text[begin.lowerBound..<close.upperBound]))
        } catch {
            throw LabelError(.invalidCredentials, "\(file): no P-256 private key in PEM form (PKCS#8 or SEC1)")
        }
    }

    /// What is wrong with the certificate by now; nil where nothing is.
    package func fault(at now: Date = Date()) -> String? {
        signer.flaw(at: now).map { "\(file): the signer's certificate \($0)" }
    }

    /// What will be wrong with the certificate within a month; nil where nothing will.
    package func warning(at now: Date = Date()) -> String? {
        guard fault(at: now) == nil, signer.validity.upperBound < now + Self.month else { return nil }
        return "\(file): the signer's certificate expires on \(SignerCertificate.day(signer.validity.upperBound))"
    }

    private static let month: TimeInterval = 30 * 86_400

    private static func read(_ file: String) throws(LabelError) -> String {
        do { return try YAMLValue.text(of: file) } catch {
            throw LabelError(.invalidCredentials, "\(error)")
        }
    }

    private static func certificates(_ text: String, file: String) throws(LabelError) -> [[UInt8]] {
        var certificates: [[UInt8]] = []
        var rest = text[...]
        while let begin = rest.firstRange(of: "-----BEGIN CERTIFICATE-----") {
            guard let end = rest[begin.upperBound...].firstRange(of: "-----END CERTIFICATE-----"),
                let data = Data(
                    base64Encoded: String(rest[begin.upperBound..<end.lowerBound]), options: .ignoreUnknownCharacters)
            else { throw LabelError(.invalidCredentials, "\(file): certificate \(certificates.count + 1) is no PEM") }
            certificates.append(Array(data))
            rest = rest[end.upperBound...]
        }
        guard (1...chainLimit).contains(certificates.count) else {
            throw LabelError(
                .invalidCredentials,
                "\(file): \(certificates.count) certificates in PEM form; 1 to \(chainLimit) are needed, the signer's first"
            )
        }
        return certificates
    }

    // MARK: Signing

    /// The chunk that goes behind IHDR.
    ///
    /// - Parameters:
    ///   - file: the picture with everything else that belongs into it.
    ///   - model: what drew it.
    ///   - now: when it was drawn.
    /// - Throws: `LabelError` when no signature can be made.
    package func chunk(for file: [UInt8], model: String, at now: Date = Date()) throws(LabelError) -> PNGChunk {
        let manifest = Manifest(
            label: "urn:c2pa:" + UUID().uuidString.lowercased(), instance: "xmp:iid:" + UUID().uuidString.lowercased(),
            model: model, moment: ISO8601DateFormatter().string(from: now), hash: Array(SHA256.hash(data: file)),
            chain: chain)
        // The manifest says how long it is, which takes more bytes the longer it is.
        var length = 0
        while true {
            let next = manifest.bytes(length: length) { _ in [UInt8](repeating: 0, count: 64) }.count + 12
            if next == length { break }
            length = max(length, next)
        }
        do {
            return PNGChunk(
                "caBX", try manifest.bytes(length: length) { try Array(key.signature(for: $0).rawRepresentation) })
        } catch {
            throw LabelError(.invalidCredentials, "the C2PA manifest could not be signed: \(error)")
        }
    }

    /// What is signed of one picture.
    private struct Manifest {
        var label: String
        var instance: String
        var model: String
        /// RFC 3339.
        var moment: String
        /// SHA-256 of the file without the chunk.
        var hash: [UInt8]
        var chain: [[UInt8]]

        /// The whole store.
        ///
        /// - Parameters:
        ///   - length: of the chunk that it becomes, which the file's hash leaves out.
        ///   - sign: makes 64 bytes, r and s, of what is to be signed.
        func bytes(length: Int, sign: ([UInt8]) throws -> [UInt8]) rethrows -> [UInt8] {
            let actions = CBOR.object([
                (
                    "actions",
                    .array([
                        .object([
                            ("action", .text("c2pa.created")), ("digitalSourceType", .text(sourceType)),
                            ("softwareAgent", .object([("name", .text(model))])), ("when", .tagged(0, .text(moment))),
                        ])
                    ])
                )
            ])
            let binding = CBOR.object([
                (
                    "exclusions",
                    .array([.object([("start", .integer(PNG.headerLength)), ("length", .integer(length))])])
                ),
                ("name", .text("jumbf manifest")), ("alg", .text("sha256")), ("hash", .bytes(hash)),
                ("pad", .bytes([])),
            ])
            let assertions = [("c2pa.actions.v2", actions), ("c2pa.hash.data", binding)].map { label, value in
                (label: label, box: JUMBF.superbox(.cbor, label: label, value))
            }
            let claim = claim(over: assertions).encoded
            return JUMBF.superbox(
                .store, label: "c2pa",
                [
                    JUMBF.superbox(
                        .manifest, label: label,
                        [
                            JUMBF.superbox(.assertions, label: "c2pa.assertions", assertions.map(\.box)),
                            JUMBF.superbox(.claim, label: "c2pa.claim.v2", [JUMBF.box("cbor", claim)]),
                            JUMBF.superbox(.signature, label: "c2pa.signature", try signature(of: claim, sign)),
                        ])
                ])
        }

        /// A hashed reference leaves the assertion's own box header out.
        private func claim(over assertions: [(label: String, box: [UInt8])]) -> CBOR {
            .object([
                ("instanceID", .text(instance)),
                ("claim_generator_info", .object([("name", .text("Nephele"))])),
                ("signature", .text("self#jumbf=/c2pa/\(label)/c2pa.signature")),
                (
                    "created_assertions",
                    .array(
                        assertions.map { label, box in
                            .object([
                                ("url", .text("self#jumbf=c2pa.assertions/" + label)),
                                ("hash", .bytes(Array(SHA256.hash(data: box.dropFirst(8))))),
                            ])
                        })
                ), ("alg", .text("sha256")),
            ])
        }

        /// COSE_Sign1 (RFC 9052 §4.2) with ES256 and the certificates in the protected header; the payload, the claim,
        /// stands beside it.
        private func signature(of claim: [UInt8], _ sign: ([UInt8]) throws -> [UInt8]) rethrows -> CBOR {
            let certificates = chain.map { CBOR.bytes($0) }
            let protected = CBOR.map([
                (.integer(1), .integer(-7)),
                (.integer(33), certificates.count == 1 ? certificates[0] : .array(certificates)),
            ]).encoded
            let signed = CBOR.array([.text("Signature1"), .bytes(protected), .bytes([]), .bytes(claim)])
            return .tagged(
                18, .array([.bytes(protected), .map([]), .null, .bytes(try sign(signed.encoded))]))
        }
    }
}
