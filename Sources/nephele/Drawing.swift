import Console
import Foundation
import GatewayClient
import PNG

/// Draws by a gateway, with a progress bar, and shows and saves what came.
struct Drawing {
    let client: GatewayClient

    /// - Returns: the PNG files in the order of their seeds.
    /// - Throws: `GatewayClientError`.
    func draw(_ request: ImageRequest) async throws -> [Data] {
        let bar = ProgressBar("denoising")
        var files: [Data] = []
        for try await data in try client.events("v1/images/generations", request) {
            let event = try JSONDecoder().decode(ImageEvent.self, from: data)
            if let file = event.b64_json.flatMap({ Data(base64Encoded: $0) }) {
                files.append(file)
            } else if let step = event.step, let steps = event.steps, Terminal.isInteractive {
                Terminal.write(bar.line(step, of: steps) + (step == steps ? "\n" : ""))
            }
        }
        return files
    }

    /// Shows a PNG file where there is a terminal.
    static func show(_ file: Data) throws {
        guard Terminal.isInteractive else { return }
        let picture = try PNG.decode(Array(file))
        for line in HalfBlockPicture.lines(rgba: picture.rgba, width: picture.width, height: picture.height) {
            Terminal.line(line)
        }
    }

    /// - Returns: the files' paths: `NAME.png`, or `NAME-1.png`, `NAME-2.png` … for several.
    /// - Throws: `CommandError`.
    static func save(_ files: [Data], to output: String) throws -> [String] {
        try files.enumerated().map { index, file in
            let stem = (output as NSString).deletingPathExtension
            let path = files.count == 1 ? output : "\(stem)-\(index + 1).\((output as NSString).pathExtension)"
            do {
                try file.write(to: URL(fileURLWithPath: path), options: .atomic)
            } catch {
                throw CommandError("cannot write \(path): \(error.localizedDescription)")
            }
            return path
        }
    }
}
