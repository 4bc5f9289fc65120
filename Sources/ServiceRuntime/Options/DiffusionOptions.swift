package import ArgumentParser

/// How a diffusion service draws, alone or within `nephele up`.
package struct DiffusionOptions: ParsableArguments {
    @Option(help: "Pixels of a side of a picture, at most; twice the model's own by default.")
    package var largestSide: Int?

    package init() {}

    package func validate() throws {
        if let largestSide, !(1...4_096).contains(largestSide) {
            throw ValidationError("--largest-side is \(largestSide); give 1 to 4096")
        }
    }
}
