internal import AsyncHTTPClient
internal import Concurrency
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// One file on its way into the cache: in ranges side by side, each tried again where it broke off, and checked at the end.
struct FileDownload: Sendable {
    private static let rangesAtOnce = 4

    let file: HubFile
    /// Where the hub has it.
    let address: String
    /// Where it will be.
    let blob: String
    let transport: HubTransport
    let progress: PullProgress
    /// Where the hub sent the last request on to: a store that need not be asked for anew for every range.
    private let location = Location()

    private final class Location: Sendable {
        let address = Mutex<String?>(nil)
    }

    /// The server gives all of the file or nothing.
    private struct NoRanges: Error {}

    init(_ file: HubFile, address: String, blob: String, transport: HubTransport, progress: PullProgress) {
        (self.file, self.address, self.blob) = (file, address, blob)
        (self.transport, self.progress) = (transport, progress)
    }

    /// - Throws: `HubError`. What has come is kept, but where it is not what the digest says.
    func run() async throws {
        let partial = try PartialFile(blob: blob, size: file.size, rangeSize: transport.settings.rangeSize)
        let resumed = partial.presentBytes
        progress.add(resumed)
        try await fetch(partial)
        if try await isRight(partial) { return try partial.move(to: blob) }
        partial.discard()
        progress.add(-file.size)
        // What an earlier process left may have been at fault, after a power cut for example.
        if resumed > 0 {
            let anew = try PartialFile(blob: blob, size: file.size, rangeSize: transport.settings.rangeSize)
            try await fetch(anew)
            if try await isRight(anew) { return try anew.move(to: blob) }
            anew.discard()
        }
        throw HubError(
            .mismatch,
            "'\(file.path)' came with another content than its digest \(file.digest.text) says; it was thrown away. Try again, "
                + "and look at what stands between here and the hub")
    }

    private func isRight(_ partial: PartialFile) async throws -> Bool {
        let digest = file.digest
        return try await withCheckedThrowingContinuation { done in
            do {
                _ = try DedicatedThread(name: "digest", rank: .computing) {
                    done.resume(with: Result { try partial.matches(digest) })
                }
            } catch { done.resume(throwing: error) }
        }
    }

    // MARK: Ranges

    private func fetch(_ partial: PartialFile) async throws {
        let missing = partial.missing
        guard let first = missing.first else { return }
        do {
            // The first range shows whether there are any.
            try await fetch(first, of: partial)
        } catch is NoRanges {
            return try await fetchWhole(partial)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var next = missing.dropFirst().makeIterator()
            for _ in 0..<Self.rangesAtOnce {
                if let number = next.next() { group.addTask { try await fetch(number, of: partial) } }
            }
            while try await group.next() != nil {
                if let number = next.next() { group.addTask { try await fetch(number, of: partial) } }
            }
        }
    }

    private func fetch(_ number: Int, of partial: PartialFile) async throws {
        let range = partial.range(number)
        let writer = try partial.writer(at: range.lowerBound)
        defer { try? writer.close() }
        var offset = range.lowerBound
        var patience = Patience(transport.settings.firstPause)
        while offset < range.upperBound {
            do {
                let answer = try await request(offset..<range.upperBound)
                if answer.response.status.code == 200, file.size > range.count || offset > 0 { throw NoRanges() }
                try check(answer.response, offset..<range.upperBound)
                try await take(answer.response.body, at: &offset, until: range.upperBound, partial, writer) {
                    patience.reset()
                }
            } catch let failure as TransientFailure {
                try await patience.pause(after: failure)
            }
        }
        try partial.finish(number)
    }

    /// All in one, from the beginning.
    private func fetchWhole(_ partial: PartialFile) async throws {
        progress.add(-partial.presentBytes)
        let writer = try partial.writer(at: 0)
        defer { try? writer.close() }
        try await Patience.retrying(transport.settings.firstPause) {
            var offset = 0
            do {
                try writer.seek(toOffset: 0)
                let answer = try await request(nil)
                try check(answer.response, 0..<file.size)
                try await take(answer.response.body, at: &offset, until: file.size, partial, writer) {}
            } catch {
                progress.add(-offset)
                throw error
            }
        }
        for number in partial.missing { try partial.finish(number) }
    }

    private func request(_ range: Range<Int>?) async throws -> HubTransport.Answer {
        let what = "'\(file.path)'"
        if let known = location.address.withLock({ $0 }) {
            // Such addresses hold for a while only.
            do { return try await transport.get(known, what, range: range) } catch is HubError {
                location.address.withLock { $0 = nil }
            }
        }
        let answer = try await transport.get(address, what, range: range)
        if answer.url != address { location.address.withLock { $0 = answer.url } }
        return answer
    }

    /// Whether an answer is for the bytes that were asked for, of a file of the size that the hub says.
    private func check(_ response: HTTPClientResponse, _ range: Range<Int>) throws(HubError) {
        let isWhole = response.status.code == 200
        let expected = isWhole ? "\(file.size)" : "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
        let said = response.headers.first(name: isWhole ? "Content-Length" : "Content-Range")
        // A server may leave the length of a whole file out.
        if said == expected || (isWhole && said == nil) { return }
        throw HubError(
            .malformed,
            "'\(file.path)': the server sends '\((said ?? "no Content-Range").prefix(100).printable)' where the hub's list of "
                + "files lets '\(expected)' be expected")
    }

    /// Writes what comes, and no more than is to come.
    private func take(
        _ body: HTTPClientResponse.Body, at offset: inout Int, until end: Int, _ partial: PartialFile,
        _ writer: FileHandle, came: () -> Void
    ) async throws {
        var chunks = body.makeAsyncIterator()
        while true {
            let chunk: ByteBuffer?
            do { chunk = try await chunks.next() } catch is CancellationError { throw CancellationError() } catch {
                throw brokenOff("\(error)")
            }
            guard let chunk else { break }
            guard chunk.readableBytes <= end - offset else {
                throw HubError(
                    .malformed, "'\(file.path)': the server sends more than the \(file.size) bytes that it has")
            }
            do { try writer.write(contentsOf: Data(chunk.readableBytesView)) } catch { throw partial.unwritable(error) }
            offset += chunk.readableBytes
            progress.add(chunk.readableBytes)
            if chunk.readableBytes > 0 { came() }
        }
        if offset < end { throw brokenOff("the answer ended early") }
    }

    private func brokenOff(_ why: String) -> TransientFailure {
        TransientFailure(
            error: HubError(
                .unreachable,
                "'\(file.path)': the connection broke off again and again (\(why.prefix(200).printable)). What has come is "
                    + "kept, and the same command goes on from it"))
    }
}
