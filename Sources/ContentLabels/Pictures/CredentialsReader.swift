internal import Crypto
package import Foundation

/// Reads C2PA manifests (C2PA Technical Specification 2.2, §15) in PNG, JPEG, WebP and GIF files: the active manifest's
/// claim, its signature, the assertions that it refers to, and the hash that binds it to the file.
///
/// Timestamps of authorities are not read: a certificate has to hold when the manifest is read. Neither are manifests of
/// ingredients, lists of trusted authorities, and other bindings than `c2pa.hash.data`; what needs them is invalid, with
/// the reason.
package struct CredentialsReader: Sendable {
    /// DER of the operator's own certificates.
    private let trusted: Set<[UInt8]>

    /// - Parameter signers: whose signatures are trusted.
    package init(trusting signers: [ContentCredentials] = []) {
        trusted = Set(signers.map { $0.chain[0] })
    }

    /// - Parameter now: when certificates have to hold.
    package func report(on file: [UInt8], at now: Date = Date()) -> CredentialsReport {
        var report = CredentialsReport(.notPresent)
        do throws(CredentialsFlaw) {
            guard let store = try PictureFile(file)?.manifestStore(in: file) else { return report }
            report.state = .invalid
            let manifest = try Manifest(activeIn: store)
            manifest.describe(in: &report)
            let signature = try manifest.signature()
            report.issuer = signature.issuer
            try signature.check(of: manifest.claimBytes, at: now)
            try manifest.checkAssertions()
            try manifest.checkBinding(to: file)
            report.state = trusted.contains(signature.certificate) ? .trusted : .valid
        } catch {
            (report.state, report.reason) = (.invalid, error.clause)
        }
        return report
    }
}

/// A manifest of a store, taken apart.
private struct Manifest {
    let claimBytes: ArraySlice<UInt8>
    private let label: String
    private let claim: CBOR
    private let signatureBox: JUMBF.Superbox
    /// With their boxes' bytes, which references hash.
    private let assertions: [(box: JUMBF.Superbox, bytes: ArraySlice<UInt8>)]

    /// The last manifest is the one about the file as it is (§15.2).
    init(activeIn store: ArraySlice<UInt8>) throws(CredentialsFlaw) {
        guard let outer = try JUMBF.boxes(in: store).first else { throw CredentialsFlaw("the manifest store is empty") }
        let whole = try JUMBF.Superbox(outer)
        guard whole.isOf(.store), let active = try whole.superboxes.last else {
            throw CredentialsFlaw("the manifest store holds no manifest")
        }
        guard active.isOf(.manifest) else {
            throw CredentialsFlaw("the active manifest is no standard one (an update's, or a compressed one)")
        }
        label = active.label
        let parts = try active.superboxes
        let claims = parts.filter { $0.isOf(.claim) }, signatures = parts.filter { $0.isOf(.signature) }
        let stores = parts.filter { $0.isOf(.assertions) }
        guard claims.count == 1, signatures.count == 1, stores.count == 1, whole.label == "c2pa",
            stores[0].label == "c2pa.assertions", ["c2pa.claim", "c2pa.claim.v2"].contains(claims[0].label)
        else {
            throw CredentialsFlaw(
                "the manifest has \(claims.count) claims, \(signatures.count) signatures and \(stores.count) stores of "
                    + "assertions; one each belongs there, by its own label")
        }
        signatureBox = signatures[0]
        claimBytes = try claims[0].content("cbor")
        claim = try CBORReader.value(of: claimBytes)
        assertions = try stores[0].boxes.filter { $0.isOf(type: "jumb") }.map { box throws(CredentialsFlaw) in
            (try JUMBF.Superbox(box), box.content)
        }
    }

    private func values(of name: String) -> [CBOR] {
        assertions.compactMap { assertion in
            let label = assertion.box.label
            guard label == name || label.hasPrefix(name + "."), let bytes = try? assertion.box.content("cbor") else {
                return nil
            }
            return try? CBORReader.value(of: bytes)
        }
    }

    /// What the manifest says of itself, whether it holds or not.
    func describe(in report: inout CredentialsReport) {
        let actions = values(of: "c2pa.actions").flatMap { $0["actions"]?.elements ?? [] }
        guard let created = actions.first(where: { $0["action"]?.text == "c2pa.created" }) else { return }
        let agent = created["softwareAgent"]
        report.model = agent?["name"]?.text ?? agent?.text
        report.generatedAt = created["when"]?.text
        report.isGenerated = created["digitalSourceType"]?.text == ContentCredentials.sourceType
    }

    func signature() throws(CredentialsFlaw) -> ManifestSignature {
        let place = claim["signature"]?.text ?? ""
        guard let target = Self.path(place, in: label), target == [signatureBox.label] else {
            throw CredentialsFlaw("the claim's signature is at '\(place.prefix(200))', where none stands")
        }
        return try ManifestSignature(try signatureBox.content("cbor"))
    }

    /// Every reference of the claim has its assertion with its hash, and every assertion has its reference (§15.10.3).
    func checkAssertions() throws(CredentialsFlaw) {
        let lists = ["assertions", "created_assertions", "gathered_assertions"]
        let references = lists.flatMap { claim[$0]?.elements ?? [] }
        var missing = Set(assertions.map(\.box.label))
        guard missing.count == assertions.count else { throw CredentialsFlaw("two assertions have one label") }
        for reference in references {
            let place = reference["url"]?.text ?? ""
            guard let target = Self.path(place, in: label), target.count == 2, target[0] == "c2pa.assertions",
                let assertion = assertions.first(where: { $0.box.label == target[1] })
            else { throw CredentialsFlaw("the claim refers to '\(place.prefix(200))', which is not there") }
            guard try hash([assertion.bytes], by: reference["alg"] ?? claim["alg"]) == reference["hash"]?.bytes else {
                throw CredentialsFlaw("the assertion \(target[1].prefix(100)) was changed")
            }
            missing.remove(target[1])
        }
        if let label = missing.min() {
            throw CredentialsFlaw("the claim does not refer to the assertion \(label.prefix(100))")
        }
    }

    /// The hash of all bytes but those that the binding leaves out (§18.5).
    func checkBinding(to file: [UInt8]) throws(CredentialsFlaw) {
        let bindings = values(of: "c2pa.hash.data")
        guard bindings.count == 1, let binding = bindings.first else {
            let others = assertions.map(\.box.label).filter { $0.hasPrefix("c2pa.hash.") }
            throw CredentialsFlaw(
                others.isEmpty
                    ? "nothing binds the manifest to the file"
                    : "the manifest is bound to the file by \(others.joined(separator: ", ").prefix(200)), and only one "
                        + "c2pa.hash.data is checked here")
        }
        var (pieces, place) = ([ArraySlice<UInt8>](), 0)
        for range in binding["exclusions"]?.elements ?? [] {
            guard let start = range["start"]?.integer, let length = range["length"]?.integer,
                (place...file.count).contains(start), (0...(file.count - start)).contains(length)
            else { throw CredentialsFlaw("the binding leaves out bytes that are not in the file") }
            pieces.append(file[place..<start])
            place = start + length
        }
        pieces.append(file[place...])
        guard try hash(pieces, by: binding["alg"] ?? claim["alg"]) == binding["hash"]?.bytes else {
            throw CredentialsFlaw("the file was changed after it was signed")
        }
    }

    /// The labels that lead from the manifest to a box; nil for what is elsewhere.
    private static func path(_ place: String, in manifest: String) -> [String]? {
        guard place.hasPrefix("self#jumbf=") else { return nil }
        let path = place.dropFirst("self#jumbf=".count)
        let parts = path.split(separator: "/").map(String.init)
        guard path.hasPrefix("/") else { return parts }
        return parts.prefix(2) == ["c2pa", manifest] ? Array(parts.dropFirst(2)) : nil
    }
}

/// The hash of pieces one behind another, by the name that C2PA gives it (§13.1).
private func hash(_ pieces: [ArraySlice<UInt8>], by name: CBOR?) throws(CredentialsFlaw) -> [UInt8] {
    func digest<Function: HashFunction>(_ function: Function) -> [UInt8] {
        var function = function
        for piece in pieces { function.update(data: piece) }
        return Array(function.finalize())
    }
    return switch name?.text {
    case nil, "sha256": digest(SHA256())
    case "sha384": digest(SHA384())
    case "sha512": digest(SHA512())
    case let name?: throw CredentialsFlaw("its hashes are '\(name.prefix(40))'; sha256, sha384 and sha512 are known")
    }
}
