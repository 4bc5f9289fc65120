import Foundation

/// The models that come with the program.
package enum EmbeddedModels {
    /// The name of the text model and of the picture model.
    package static let text = "nephele-verse"
    package static let picture = "nephele-pixel"

    /// The directory that holds them: `NEPHELE_EMBEDDED_MODELS` if set, else the resources beside the executable, else
    /// those where the build put them; nil when there are none.
    package static var directory: String? {
        var candidates: [String] = []
        if let given = ProcessInfo.processInfo.environment["NEPHELE_EMBEDDED_MODELS"], !given.isEmpty {
            candidates.append(given)
        }
        let bundle = "nephele_EmbeddedModels.resources/models"
        if let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
            let folder = (executable as NSString).deletingLastPathComponent
            candidates.append(folder + "/" + bundle)
            candidates.append((folder as NSString).deletingLastPathComponent + "/share/nephele/models")
        }
        candidates.append(Bundle.main.bundlePath + "/" + bundle)
        return candidates.first { isDirectory($0) }
    }

    /// The directory of one model, nil when it is not there.
    package static func directory(of name: String) -> String? {
        guard !name.contains("/"), name != "..", let path = directory.map({ $0 + "/" + name }), isDirectory(path) else {
            return nil
        }
        return path
    }

    private static func isDirectory(_ path: String) -> Bool {
        var directory: ObjCBool = false
        // The address of a local variable, read after the call.
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &directory) && directory.boolValue
    }
}
