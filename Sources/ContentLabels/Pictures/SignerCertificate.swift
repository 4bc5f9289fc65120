internal import Crypto
internal import Foundation
internal import SwiftASN1

/// A certificate (RFC 5280) that C2PA manifests are signed with, held against what readers of them accept by default (C2PA
/// Technical Specification 2.2, §14.5.1).
struct SignerCertificate: Sendable {
    let der: [UInt8]
    let publicKey: P256.Signing.PublicKey
    /// When it holds.
    let validity: ClosedRange<Date>

    private enum Identifier {
        static let ecPublicKey: ASN1ObjectIdentifier = [1, 2, 840, 10045, 2, 1]
        static let p256: ASN1ObjectIdentifier = [1, 2, 840, 10045, 3, 1, 7]
        static let basicConstraints: ASN1ObjectIdentifier = [2, 5, 29, 19]
        static let keyUsage: ASN1ObjectIdentifier = [2, 5, 29, 15]
        static let extendedKeyUsage: ASN1ObjectIdentifier = [2, 5, 29, 37]
        static let authorityKeyIdentifier: ASN1ObjectIdentifier = [2, 5, 29, 35]
        static let anyUsage: ASN1ObjectIdentifier = [2, 5, 29, 37, 0]
        static let emailProtection: ASN1ObjectIdentifier = [1, 3, 6, 1, 5, 5, 7, 3, 4]
    }

    /// - Throws: what is wrong with it, as a clause whose subject is the certificate.
    init(der: [UInt8]) throws {
        self.der = der
        let fields: [ASN1Node]
        do {
            let parts = try DER.parse(der).parts
            fields = parts.first?.parts ?? []
        } catch { throw Flaw("is no DER of X.509") }
        // The version is left out of version 1.
        guard fields.count >= 7, fields[0].identifier == Self.context(0) else {
            throw Flaw("is of version 1; C2PA needs version 3")
        }
        validity = try Self.validity(fields[4])
        publicKey = try Self.key(fields[6])
        let extensions = try Self.extensions(fields)
        try Self.check(extensions)
    }

    /// What is wrong with it at a moment; nil where nothing is.
    func flaw(at now: Date) -> String? {
        if now < validity.lowerBound { return "is not valid before \(Self.day(validity.lowerBound))" }
        if now > validity.upperBound { return "has expired on \(Self.day(validity.upperBound))" }
        return nil
    }

    static func day(_ date: Date) -> String { String(ISO8601DateFormatter().string(from: date).prefix(10)) }

    struct Flaw: Error {
        let clause: String

        init(_ clause: String) { self.clause = clause }
    }

    // MARK: Reading

    private static func context(_ number: UInt) -> ASN1Identifier {
        ASN1Identifier(tagWithNumber: number, tagClass: .contextSpecific)
    }

    private static func validity(_ node: ASN1Node) throws -> ClosedRange<Date> {
        let times = try node.parts.map { node throws in
            var parts = DateComponents()
            if node.identifier == .utcTime {
                let time = try UTCTime(derEncoded: node)
                (parts.year, parts.month, parts.day) = (time.year, time.month, time.day)
                (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
            } else {
                let time = try GeneralizedTime(derEncoded: node)
                (parts.year, parts.month, parts.day) = (time.year, time.month, time.day)
                (parts.hour, parts.minute, parts.second) = (time.hours, time.minutes, time.seconds)
            }
            var calendar = Calendar(identifier: .gregorian)
            calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? calendar.timeZone
            return calendar.date(from: parts) ?? .distantPast
        }
        guard times.count == 2, times[0] <= times[1] else { throw Flaw("has no validity") }
        return times[0]...times[1]
    }

    /// The key of the certificate: an uncompressed or a compressed point on the named curve P-256.
    private static func key(_ node: ASN1Node) throws -> P256.Signing.PublicKey {
        let parts = node.parts
        guard parts.count == 2 else { throw Flaw("has no public key") }
        let algorithm = parts[0].parts
        guard algorithm.count == 2, (try? ASN1ObjectIdentifier(derEncoded: algorithm[0])) == Identifier.ecPublicKey
        else {
            throw Flaw("holds no key for elliptic curves; ES256 needs one on P-256")
        }
        guard (try? ASN1ObjectIdentifier(derEncoded: algorithm[1])) == Identifier.p256 else {
            throw Flaw(
                "holds a key that does not name the curve P-256 (prime256v1): readers call what it signs invalid")
        }
        let point = Data(try ASN1BitString(derEncoded: parts[1]).bytes)
        do {
            return point.count == 33
                ? try P256.Signing.PublicKey(compressedRepresentation: point)
                : try P256.Signing.PublicKey(x963Representation: point)
        } catch { throw Flaw("holds a public key that is no point on P-256") }
    }

    private static func extensions(_ fields: [ASN1Node]) throws -> [ASN1ObjectIdentifier: ASN1Node] {
        guard let list = fields.first(where: { $0.identifier == context(3) }) else { return [:] }
        var found: [ASN1ObjectIdentifier: ASN1Node] = [:]
        for node in list.parts.first?.parts ?? [] {
            let parts = node.parts
            guard parts.count >= 2, let value = parts.last else { throw Flaw("has an extension without a value") }
            let identifier = try ASN1ObjectIdentifier(derEncoded: parts[0])
            found[identifier] = try DER.parse(try ASN1OctetString(derEncoded: value).bytes)
        }
        return found
    }

    // MARK: What readers ask of it

    private static func check(_ extensions: [ASN1ObjectIdentifier: ASN1Node]) throws {
        if let constraints = extensions[Identifier.basicConstraints], let first = constraints.parts.first,
            (try? Bool(derEncoded: first)) == true
        {
            throw Flaw("is an authority's; put the signer's first")
        }
        guard let usage = extensions[Identifier.keyUsage] else {
            throw Flaw("has no key usage; C2PA needs digitalSignature")
        }
        guard let bits = try ASN1BitString(derEncoded: usage).bytes.first, bits & 0x80 != 0 else {
            throw Flaw("has a key usage without digitalSignature")
        }
        guard let extended = extensions[Identifier.extendedKeyUsage] else {
            throw Flaw("has no extended key usage; readers accept emailProtection")
        }
        let usages = try extended.parts.map { try ASN1ObjectIdentifier(derEncoded: $0) }
        guard !usages.contains(Identifier.anyUsage) else {
            throw Flaw("has the extended key usage anyExtendedKeyUsage, which C2PA forbids")
        }
        guard usages.contains(Identifier.emailProtection) else {
            throw Flaw(
                "has the extended key usages \(usages.map(\.description)), and not emailProtection, by which readers "
                    + "accept a signer")
        }
        guard extensions[Identifier.authorityKeyIdentifier] != nil else {
            throw Flaw("has no authority key identifier")
        }
    }
}

extension ASN1Node {
    /// What a constructed node holds; nothing where it is a primitive one.
    fileprivate var parts: [ASN1Node] {
        guard case .constructed(let nodes) = content else { return [] }
        return Array(nodes)
    }
}
