//! Who is calling: consumer, credential, anonymous, and how one filter tells the next.
