import Foundation
import Testing

private let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// A Python that has Kubernetes' schemas, nil where there is none.
private let python: String? = {
    let given = ProcessInfo.processInfo.environment["NEPHELE_PYTHON"]
    return [given, checkout.path + "/.build/python/bin/python", "/usr/bin/python3"].compactMap { $0 }.first { path in
        (try? run(path, ["-c", "import kubernetes_validate, yaml"]))?.status == 0
    }
}()

private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, said)
}

@Suite(
    .timeLimit(.minutes(5)), .enabled(if: python != nil, "needs a Python with the packages kubernetes-validate, pyyaml")
)
struct KubernetesManifestTests {
    private let manifests = checkout.appendingPathComponent("compose/kubernetes")

    private func check(_ folder: URL) throws -> (status: Int32, output: String) {
        try run(try #require(python), [manifests.appendingPathComponent("check").path, folder.path])
    }

    @Test func `the manifests are as Kubernetes' schemas have them, and name one another`() throws {
        let (status, output) = try check(manifests)
        #expect(status == 0, "\(output)")
    }

    @Test(
        "what is wrong with a manifest is found",
        arguments: [
            ("gateway.yaml", "containers:", "container:"), ("tokenizer.yaml", "clusterIP: None", "clusterIP: ''"),
            ("text-shard-0.yaml", "dns://text-shard-1", "dns://text-shard-9"),
            ("diffusion.yaml", "containerPort: 7003", "containerPort: 7004"),
            ("autoscaling.yaml", "scaleTargetRef: { name: diffusion }", "scaleTargetRef: { name: drawing }"),
            ("network-policy.yaml", "operator: NotIn", "operators: NotIn"),
            ("accounts/accounts.yaml", "--accounts-bind=tcp://0.0.0.0:7010", "--accounts-bind=tcp://0.0.0.0:7011"),
            ("accounts/accounts.yaml", "dns://accounts:7010", "dns://account:7010"),
            ("accounts/accounts.yaml", "claimName: accounts", "claimName: account"),
            ("gateway.yaml", "configMap: { name: nephele-config", "configMap: { title: nephele-config"),
        ])
    func mistake(_ file: String, _ right: String, _ wrong: String) throws {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent(
            "nph-k8s-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.copyItem(at: manifests, to: copy)
        defer { try? FileManager.default.removeItem(at: copy) }
        let path = copy.appendingPathComponent(file)
        let text = try String(contentsOf: path, encoding: .utf8)
        try #require(text.contains(right))
        try Data(text.replacingOccurrences(of: right, with: wrong).utf8).write(to: path)
        let (status, output) = try check(copy)
        #expect(status == 1 && !output.isEmpty, "\(output)")
    }
}
