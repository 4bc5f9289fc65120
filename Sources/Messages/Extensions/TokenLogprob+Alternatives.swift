extension Wire.TokenLogprob {
    package struct Alternative: Sendable, Equatable {
        package var id: Int32
        package var logprob: Float
        /// What the token adds to a text.
        package var bytes: [UInt8]

        package init(id: Int32, logprob: Float, bytes: [UInt8]) {
            (self.id, self.logprob, self.bytes) = (id, logprob, bytes)
        }
    }

    /// Likeliest first.
    package var alternatives: [Alternative] {
        alternativeIDs.indices.map {
            Alternative(id: alternativeIDs[$0], logprob: alternativeLogprobs[$0], bytes: alternativeBytes[$0])
        }
    }

    package init(id: Int32, logprob: Float, bytes: [UInt8], alternatives: [Alternative]) {
        self.init(
            id: id, logprob: logprob, alternativeIDs: alternatives.map(\.id),
            alternativeLogprobs: alternatives.map(\.logprob), bytes: bytes, alternativeBytes: alternatives.map(\.bytes))
    }

    func validate() throws {
        guard alternativeIDs.count == alternativeLogprobs.count, alternativeIDs.count == alternativeBytes.count else {
            throw MessageError(
                message: "\(alternativeIDs.count) alternatives with \(alternativeLogprobs.count) log-probabilities and "
                    + "\(alternativeBytes.count) texts")
        }
    }
}
