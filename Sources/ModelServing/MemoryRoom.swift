import RPC

/// Whether what is to be loaded fits into memory beside what is there.
package struct MemoryRoom: Sendable {
    private let available: @Sendable () -> Int?

    /// - Parameter available: bytes that can be had now; nil where nobody knows.
    package init(_ available: @escaping @Sendable () -> Int?) { self.available = available }

    /// Refuses nothing.
    package static let unknown = MemoryRoom { nil }

    /// - Parameter what: for the message, e.g. `the new revision's weights`.
    /// - Throws: `RPCError` RESOURCE_EXHAUSTED, with both numbers, when `bytes` and a sixteenth more are not there.
    package func require(_ bytes: Int, for what: String) throws {
        guard let available = available() else { return }
        let needed = bytes.addingReportingOverflow(bytes / 16)
        guard !needed.overflow, needed.partialValue <= available else {
            throw RPCError(
                .resourceExhausted,
                "\(what) would take \(bytes >> 20) MiB beside what is served, and \(available >> 20) MiB of memory are "
                    + "available; what is served goes on", reason: "insufficient_memory")
        }
    }
}
