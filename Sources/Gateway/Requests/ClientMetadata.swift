/// What a client keeps with a response, a conversation or a batch, and gets back as it came.
enum ClientMetadata {
    private static let (members, nameSize, valueSize) = (16, 64, 512)

    /// - Throws: `APIError` for more than is kept.
    static func check(_ metadata: [String: String]?) throws {
        guard let metadata else { return }
        guard metadata.count <= members,
            metadata.allSatisfy({ $0.utf8.count <= nameSize && $1.utf8.count <= valueSize })
        else {
            throw APIError.invalidRequest(
                "'metadata' takes \(members) names of \(nameSize) bytes and values of \(valueSize) at most.",
                parameter: "metadata")
        }
    }
}
