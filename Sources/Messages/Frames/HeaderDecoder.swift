internal import Foundation

/// Decodes the headers that come over one connection; each stem of a template only once.
package struct HeaderDecoder: Sendable {
    private struct Known: Sendable {
        let stem: [UInt8]
        let content: FrameHeader.Content
    }

    private var known: [Known] = []
    /// Stems beyond these are decoded every time.
    private static let limit = 16
    private static let stemLimit = 256

    package init() {}

    /// - Throws: `MessageError` when the bytes are not a header.
    package mutating func decode(_ bytes: RawSpan) throws -> FrameHeader {
        if let header = bytes.withUnsafeBytes(recall) { return header }
        let header = try FrameHeader(decoding: bytes)
        bytes.withUnsafeBytes { learn(header, from: $0) }
        return header
    }

    private func recall(_ bytes: UnsafeRawBufferPointer) -> FrameHeader? {
        for candidate in known where Self.starts(bytes, with: candidate.stem) {
            guard let variables = HeaderTemplate.variables(of: bytes, after: candidate.stem.count) else { continue }
            var content = candidate.content
            if let timeout = variables.timeout {
                guard case .call(var start) = content else { continue }
                start.timeout = Duration(wireMicroseconds: timeout)
                content = .call(start)
            }
            return FrameHeader(call: variables.call, sequence: variables.sequence, content)
        }
        return nil
    }

    private mutating func learn(_ header: FrameHeader, from bytes: UnsafeRawBufferPointer) {
        guard known.count < Self.limit, let content = Self.repeated(header.content) else { return }
        let stem = HeaderTemplate(content).stem
        guard stem.count <= Self.stemLimit, Self.starts(bytes, with: stem),
            !known.contains(where: { $0.stem == stem })
        else { return }
        known.append(Known(stem: stem, content: content))
    }

    /// The content of a template that such a header may come from.
    private static func repeated(_ content: FrameHeader.Content) -> FrameHeader.Content? {
        switch content {
        case .call(var start) where start.isPlain:
            start.timeout = nil
            return .call(start)
        case .message(let sizes) where sizes.isEmpty: return content
        case .end(let end) where end.isPlain: return content
        default: return nil
        }
    }

    private static func starts(_ bytes: UnsafeRawBufferPointer, with stem: [UInt8]) -> Bool {
        guard bytes.count > stem.count, let base = bytes.baseAddress else { return false }
        return stem.withUnsafeBytes { stem in
            stem.baseAddress.map { memcmp(base, $0, stem.count) == 0 } ?? false
        }
    }
}
