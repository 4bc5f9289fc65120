import ContentLabels

/// Pictures that somebody signed: the reader of their manifests.
struct CredentialsTarget: FuzzTarget {
    let kind = SampleKind.bytes
    let samples: [[UInt8]]
    private let reader = CredentialsReader()

    init() throws {
        samples = try Corpus.files("ContentLabelsTests/Goldens/credentials") { !$0.hasSuffix(".json") }
    }

    mutating func run(_ input: [UInt8]) throws {
        let report = reader.report(on: input)
        if report.state == .trusted { throw FuzzFinding(description: "a signature is trusted, and nobody is") }
        if report.state == .valid, !samples.contains(where: { $0.count == input.count }) {
            throw FuzzFinding(description: "a signed file holds that is longer or shorter than it was")
        }
    }
}
